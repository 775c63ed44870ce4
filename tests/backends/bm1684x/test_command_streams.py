"""Bits of commands, and the proof that streams can not race."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backends.bm1684x.cases import CASES, together
from tpuc.backends.bm1684x import Compiled, compile_graph, decode_stream
from tpuc.backends.bm1684x.check import check_streams
from tpuc.backends.bm1684x.command import GLOBAL, Command
from tpuc.backends.bm1684x.encode import encode, encode_stream
from tpuc.backends.bm1684x.fields import KINDS
from tpuc.errors import ArtifactError, UnsupportedError

# The first conv and its DMA load of a file that TPU-MLIR wrote, field by field.
_CONV = {"r_n": 1, "r_c": 96, "r_h": 112, "r_w": 112, "kernel_h": 1, "kernel_w": 1, "stride_h": 1}


@pytest.mark.parametrize("name", [n for n in KINDS if not n.endswith("end")])
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_what_is_encoded_is_decoded(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    fixed = {"opcode", "sub", "id", "wait", *(key for key, _ in kind.constants)}
    fields = {
        f.name: data.draw(st.integers(0, 2**f.width - 1))
        for f in kind.fields
        if f.name not in fixed
    }
    fields["sub"] = data.draw(st.sampled_from(kind.subs))
    command = Command(name, fields)
    stream = encode_stream([command], [7], command.engine)
    assert len(stream) % 128 == 0
    (back,) = decode_stream(stream, command.engine)
    assert (back.kind, back.serial, back.wait) == (name, 1, 7)
    assert {key: back[key] for key in fields} == fields


@pytest.mark.parametrize("name", KINDS)
def test_fields_do_not_overlap(name: str) -> None:
    used = np.zeros(8 * KINDS[name].size, int)
    for field in KINDS[name].fields:
        used[field.first : field.first + field.width] += 1
    assert used.max() == 1


def test_bits_lie_where_the_chip_wants_them() -> None:
    fields = {"r_addr": 0x12340, "a_signed": 1, "stride_h": 2, "r_type": 4, "a_addr": 0x1F00}
    word = int.from_bytes(encode(Command("conv", fields), 5, 3), "little")
    assert word == (
        1
        | 5 << 1
        | 3 << 21
        | 1 << 50
        | 1 << 55
        | 4 << 65
        | 2 << 93
        | 0x12340 << 101
        | 0x1F00 << 320
    )


@pytest.mark.parametrize(
    ("field", "value"), [("stride_h", 16), ("pad_left", 16), ("r_w", 65536), ("r_addr", -64)]
)
def test_what_does_not_fit_is_refused(field: str, value: int) -> None:
    with pytest.raises(ArtifactError, match=rf"conv 'x': {field} is {value}; expected a number"):
        encode(Command("conv", {field: value}, "x"), 1, 0)


def test_damaged_streams_are_refused() -> None:
    stream = encode_stream([Command("conv", _CONV)], [0], "tiu")
    reserved = bytearray(stream)
    reserved[15] |= 0x80
    for bad in (stream[:64], bytes(reserved), stream[:-1] + b"\1", bytes(128)):
        with pytest.raises(ArtifactError):
            decode_stream(bad, "tiu")


def _given(compiled: Compiled, names: list[str]) -> list[tuple[int, int]]:
    graph = together(names)
    weights = (GLOBAL, GLOBAL + len(compiled.coefficients))
    starts = [(compiled.addresses[v.name], 4 * v.size) for v in graph.inputs]
    return [weights, *((at, at + size) for at, size in starts)]


def _race(compiled: Compiled, given: list[tuple[int, int]], engine: str, shift: int) -> list[int]:
    """Serial numbers of those commands that may wait for `shift` less without being caught."""
    tiu, dma = decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")
    streams = {"tiu": tiu, "dma": dma}
    missed = []
    last = 0
    for index, command in enumerate(streams[engine]):
        if command.wait > last:  # only these say something new
            changed = list(streams[engine])
            wait = command.wait - shift if shift else 0
            changed[index] = replace(command, wait=wait)
            for later in range(index + 1, len(changed)):  # the same wait, repeated
                if changed[later].wait == command.wait:
                    changed[later] = replace(changed[later], wait=wait)
            try:
                check_streams(**{**streams, engine: changed}, given=given)
                missed.append(command.serial)
            except ArtifactError:
                pass
        last = max(last, command.wait)
    return missed


@pytest.mark.parametrize("engine", ["tiu", "dma"])
@pytest.mark.parametrize("shift", [0, 1])
def test_every_dropped_or_shifted_wait_is_caught(engine: str, shift: int) -> None:
    names = ["conv in tiles of rows", "depthwise", "add in pieces", "concat", "lut", "max pool"]
    names += ["attention", "deconv", "pad by edges"]
    compiled = compile_graph(together(names))
    assert not _race(compiled, _given(compiled, names), engine, shift)


def test_waits_that_never_come_are_caught() -> None:
    names = ["conv 1x1"]
    compiled = compile_graph(together(names))
    tiu, dma = decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")
    dma[0] = replace(dma[0], wait=1)
    with pytest.raises(ArtifactError, match="never comes"):
        check_streams(tiu, dma, _given(compiled, names))


def test_reading_what_nobody_wrote_is_caught() -> None:
    names = ["conv 1x1"]
    compiled = compile_graph(together(names))
    tiu, dma = decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")
    with pytest.raises(ArtifactError, match="nobody wrote"):
        check_streams(tiu, dma, _given(compiled, names)[1:])


def test_a_kernel_too_large_for_local_memory_is_refused() -> None:
    graph = CASES["matmul of a row"]()
    node = graph.nodes[-1]
    depth = 1 << 19
    weights = np.zeros((depth, 2), np.int8)
    for value, shape in ((graph.inputs[0], (1, depth)), (node.activations[0], (1, depth))):
        value.shape = shape
    node.inputs[1].data, node.inputs[1].shape = weights, weights.shape
    node.inputs[2].data, node.inputs[2].shape = np.zeros(2, np.int32), (2,)
    node.output.shape = (1, 2)
    with pytest.raises(UnsupportedError, match="MatMul 'out'.*bytes of each lane.*262144"):
        compile_graph(graph)
