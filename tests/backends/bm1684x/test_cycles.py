"""Predicted times, against those that TPU-MLIR prints for its own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backends.bm1684x.cases import together
from tpuc.backends.bm1684x import compile_graph, decode_stream
from tpuc.backends.bm1684x.command import Command
from tpuc.backends.bm1684x.cycles import cycles_of, estimate
from tpuc.backends.bm1684x.encode import encode_stream

# EfficientNet-Lite0 INT8 as TPU-MLIR compiled it; see tests/golden/make_streams.py.
STREAMS = Path(__file__).parents[2] / "golden" / "streams" / "efficientnet_lite0_int8.npz"


@pytest.fixture(scope="module")
def theirs():
    with np.load(STREAMS) as streams:
        return [decode_stream(streams[engine].tobytes(), engine) for engine in ("tiu", "dma")]


def test_their_streams_are_encoded_alike(theirs) -> None:
    """The same bytes, from the fields that ours name."""
    with np.load(STREAMS) as streams:
        for engine, commands in zip(("tiu", "dma"), theirs):
            ours = [
                Command(c.kind, {k: v for k, v in c.fields.items() if k not in ("id", "wait")})
                for c in commands
            ]
            found = encode_stream(ours, [c.wait for c in commands], engine)
            assert found == streams[engine].tobytes()


@pytest.mark.parametrize(
    ("serial", "kind", "cycles"),
    [
        (1, "arith", 96),  # multiply float32, 3 x 64 lanes x 512
        (2, "arith", 192),  # float32 to int32
        (17, "window", 5292),  # depthwise 3 x 3, strides 2, 27 channels, 112 x 112
        (18, "conv", 3136),  # 27 to 32 channels, 1 x 1, 112 x 112
        (19, "arith", 1568),  # biases
        (20, "requant", 784),
        (187, "matrix", 512),
        (192, "requant", 32),
    ],
)
def test_costs_are_theirs(theirs, serial: int, kind: str, cycles: int) -> None:
    command = theirs[0][serial - 1]
    assert (command.kind, cycles_of(command)) == (kind, cycles)


def test_the_whole_is_theirs_within_five_percent(theirs) -> None:
    time = estimate(*theirs)
    assert time.busy[0] == pytest.approx(159026, rel=0.001)
    assert time.busy[1] == pytest.approx(157447, rel=0.05)
    assert time.total == pytest.approx(205361, rel=0.05)


def test_commands_wait_and_overlap() -> None:
    compiled = compile_graph(together(["conv 3x3, two rows of channels", "add in pieces"]))
    tiu, dma = decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")
    time = estimate(tiu, dma)
    assert max(time.busy) <= time.total <= sum(time.busy)
    for mine, spans, others in ((tiu, time.tiu, time.dma), (dma, time.dma, time.tiu)):
        for command, (start, _) in zip(mine, spans):
            assert not command.wait or start >= others[command.wait - 1][1]
