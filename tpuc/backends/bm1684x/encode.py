"""Commands to bytes; what does not fit a field is an error, never cut off."""

from __future__ import annotations

from collections.abc import Sequence

from tpuc.backends.bm1684x.command import Command
from tpuc.backends.bm1684x.fields import KINDS
from tpuc.errors import ArtifactError

__all__ = ["MOST_COMMANDS", "encode", "encode_stream"]

MOST_COMMANDS = (1 << 20) - 2  # serial numbers have 20 bits, and the end needs one
_BLOCK = 128  # the runtime copies the last command rounded up to this
_TABLES = {n: {f.name: (f.first, f.width) for f in k.fields} for n, k in KINDS.items()}


def encode(command: Command, serial: int, wait: int) -> bytes:
    """One command.

    Raises
    ------
    ArtifactError : a field is unknown, or its value too large
    """
    kind, places = KINDS[command.kind], _TABLES[command.kind]
    values = {**dict(kind.constants), **command.fields}
    values |= {"opcode": kind.opcode, "id": serial, "wait": wait}
    values.setdefault("sub", kind.subs[0])
    word = 0
    for name, value in values.items():
        place = places.get(name)
        if place is None or not 0 <= value < 1 << place[1]:
            room = "no such field" if place is None else f"a number of {place[1]} bits"
            raise ArtifactError(
                f"{command.kind} '{command.note}': {name} is {value}; expected {room}. "
                "Hint: backend=none, or another processor"
            )
        word |= int(value) << place[0]
    return word.to_bytes(kind.size, "little")


def encode_stream(commands: Sequence[Command], waits: Sequence[int], engine: str) -> bytes:
    """All commands of one engine, its end, and zeros up to a whole block.

    Raises
    ------
    ArtifactError : too many commands, or one that can not be encoded
    """
    if len(commands) > MOST_COMMANDS:
        raise ArtifactError(
            f"{engine} stream: has {len(commands)} commands; expected at most {MOST_COMMANDS}. "
            "Hint: smaller input_shapes"
        )
    parts = [encode(c, i + 1, w) for i, (c, w) in enumerate(zip(commands, waits, strict=True))]
    end = Command("dma_end" if engine == "dma" else "end", {})
    parts.append(encode(end, len(commands) + 1, 0))
    stream = b"".join(parts)
    return stream + bytes(-len(stream) % _BLOCK)
