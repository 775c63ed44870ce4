"""Commands on floats: bits as TPU-MLIR sets them, times that it prints, proof against races."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.backends.bm1684x.float_cases import together
from tests.backends.bm1684x.test_cycles import FOLDER
from tpuc.backends.bm1684x import compile_graph, decode_stream, disassemble
from tpuc.backends.bm1684x.check import check_streams
from tpuc.backends.bm1684x.command import GLOBAL, Command
from tpuc.backends.bm1684x.cycles import cycles_of
from tpuc.backends.bm1684x.encode import encode_stream
from tpuc.backends.bm1684x.footprint import footprint
from tpuc.errors import ArtifactError

KINDS = ("function", "choose", "matrix_rows")
NAMES = ["gelu f16", "layer norm f16", "product of two f16", "softmax bf16", "conv 1x1 f32"]


@pytest.fixture(scope="module")
def theirs():
    with np.load(FOLDER / "kinds" / "vit_f16.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def streams():
    compiled = compile_graph(together(NAMES))
    given = [(GLOBAL, GLOBAL + len(compiled.coefficients))]
    for value in together(NAMES).inputs:
        start = compiled.addresses[value.name]
        given.append((start, start + 4 * value.size))
    return [decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")], given


def test_their_stream_is_encoded_alike(theirs) -> None:
    commands = decode_stream(theirs["tiu"].tobytes(), "tiu")
    assert set(KINDS) <= {c.kind for c in commands}
    ours = [
        Command(c.kind, {k: v for k, v in c.fields.items() if k not in ("id", "wait")})
        for c in commands
    ]
    assert encode_stream(ours, [c.wait for c in commands], "tiu") == theirs["tiu"].tobytes()


def test_their_commands_take_what_they_say(theirs) -> None:
    commands = decode_stream(theirs["tiu"].tobytes(), "tiu")
    for command, cycles in zip(commands, theirs["tiu_cycles"]):
        if command.kind in KINDS or (command.kind, command["sub"]) == ("arith", 12):
            assert cycles_of(command) == cycles, command


def test_every_kind_is_used_here(streams) -> None:
    assert set(KINDS) <= {c.kind for c in streams[0][0]}


@pytest.mark.parametrize("engine", [0, 1])
def test_every_dropped_wait_is_caught(streams, engine: int) -> None:
    both, given = streams
    check_streams(*both, given)
    last, missed = 0, []
    for index, command in enumerate(both[engine]):
        if command.wait > last:
            changed = [list(stream) for stream in both]
            for later in range(index, len(changed[engine])):
                if changed[engine][later].wait == command.wait:
                    changed[engine][later] = replace(changed[engine][later], wait=last)
            try:
                check_streams(changed[0], changed[1], given)
                missed.append(command)
            except ArtifactError:
                pass
        last = max(last, command.wait)
    assert not missed


@pytest.mark.parametrize("kind", KINDS)
def test_every_operand_is_seen(streams, kind: str) -> None:
    """A command whose operand or result is moved touches other bytes."""
    command = next(c for c in streams[0][0] if c.kind == kind)
    before = footprint(kind, command.fields)
    names = [n for n in ("r", "a", "b", "c", "d") if f"{n}_addr" in command.fields]
    for name in names:
        if command.fields.get(f"{name}_const"):
            continue
        moved = {**command.fields, f"{name}_addr": command[f"{name}_addr"] ^ 64}
        assert footprint(kind, moved) != before, name


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("choose", {"a_layout": 3}, "choose: operands that are not aligned"),
        ("matrix_rows", {"sub": 6, "c_const": 1}, "matrix_rows: function 6"),
    ],
)
def test_what_is_not_understood_is_no_proof(kind: str, fields: dict[str, int], told: str) -> None:
    with pytest.raises(ArtifactError, match=told):
        footprint(kind, fields)


def test_commands_are_printed() -> None:
    graph = together(NAMES)
    compiled = compile_graph(graph)
    lines = disassemble(compiled.tiu, compiled.dma, graph)
    for word in ("polynomial f32@", "reciprocal_root ", "choose f32@", "div f32@"):
        assert any(word in line for line in lines), word
