"""Bytes to commands: a second reading of the field tables, for tests, checks and printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tpuc.backends.bm1684x.fields import DMA_KINDS, TIU_KINDS, Kind
from tpuc.errors import ArtifactError

__all__ = ["Decoded", "decode_stream"]


@dataclass(frozen=True)
class Decoded:
    """A command read back."""

    kind: str
    engine: str
    serial: int
    wait: int
    fields: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        return self.fields[name]


def decode_stream(stream: bytes | memoryview, engine: str) -> list[Decoded]:
    """All commands up to the end of a stream, the end not among them.

    Raises
    ------
    ArtifactError : an unknown command, no end, a gap in the serial numbers, or set bits that no
        field names
    """
    bits = np.unpackbits(np.frombuffer(bytes(stream), np.uint8), bitorder="little")
    found: list[Decoded] = []
    at = 0
    while True:
        kind = _kind_at(bits, at, engine)
        command = _take(bits[at : at + 8 * kind.size], kind)
        at += 8 * kind.size
        if command.serial != len(found) + 1:
            raise ArtifactError(
                f"{engine} stream: command {len(found) + 1} has serial number {command.serial}"
            )
        if kind.name.endswith("end"):
            break
        found.append(command)
    if bits[at:].any():
        raise ArtifactError(f"{engine} stream: has bits set after its end")
    return found


def _number(bits: np.ndarray, first: int, width: int) -> int:
    part = bits[first : first + width]
    return int(part @ (np.int64(1) << np.arange(len(part), dtype=np.int64)))


def _kind_at(bits: np.ndarray, at: int, engine: str) -> Kind:
    if engine == "tiu":
        code = _number(bits, at + 41, 4), _number(bits, at + 45, 5)
    else:
        code = _number(bits, at + 32, 4), _number(bits, at + 36, 3)
    kind = (TIU_KINDS if engine == "tiu" else DMA_KINDS).get(code)
    if kind is None or at + 8 * kind.size > len(bits):
        raise ArtifactError(
            f"{engine} stream: byte {at // 8} holds opcode {code[0]}, function {code[1]} "
            "or its stream ends there; expected a known command"
        )
    return kind


def _take(bits: np.ndarray, kind: Kind) -> Decoded:
    values = {f.name: _number(bits, f.first, f.width) for f in kind.fields}
    left = bits.copy()
    for field in kind.fields:
        left[field.first : field.first + field.width] = 0
    if left.any():
        raise ArtifactError(f"{kind.name} {values['id']}: bit {int(left.argmax())} is reserved")
    return Decoded(kind.name, kind.engine, values["id"], values["wait"], values)
