"""Predicted times, against those that TPU-MLIR prints for its own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backends.bm1684x.cases import together
from tpuc.backends.bm1684x import compile_graph, decode_stream
from tpuc.backends.bm1684x.command import F16, F32, Command, Element
from tpuc.backends.bm1684x.cycles import cycles_of, estimate
from tpuc.backends.bm1684x.encode import encode_stream

# What TPU-MLIR compiled, and the time that it prints for it; see tests/golden/make_streams.py.
FOLDER = Path(__file__).parents[2] / "golden" / "streams"
NAMES = sorted(path.stem for path in FOLDER.glob("*.npz"))


@pytest.fixture(scope="module", params=NAMES)
def theirs(request):
    with np.load(FOLDER / f"{request.param}.npz") as file:
        return dict(file)


def _decoded(theirs):
    return [decode_stream(theirs[engine].tobytes(), engine) for engine in ("tiu", "dma")]


def test_their_streams_are_encoded_alike(theirs) -> None:
    """The same bytes, from the fields that ours name."""
    for engine, commands in zip(("tiu", "dma"), _decoded(theirs)):
        ours = [
            Command(c.kind, {k: v for k, v in c.fields.items() if k not in ("id", "wait")})
            for c in commands
        ]
        found = encode_stream(ours, [c.wait for c in commands], engine)
        assert found == theirs[engine].tobytes()


def test_each_command_takes_what_they_say(theirs) -> None:
    for engine, commands in zip(("tiu", "dma"), _decoded(theirs)):
        found = np.array([cycles_of(c) for c in commands])
        expected = theirs[f"{engine}_cycles"]
        wrong = np.abs(found - expected) > np.maximum(0.02 * expected, 2)
        assert not wrong.sum() > 2, [commands[i] for i in np.flatnonzero(wrong)]


def test_each_kind_and_the_whole_are_theirs(theirs) -> None:
    streams = _decoded(theirs)
    for engine, commands in zip(("tiu", "dma"), streams):
        found = np.array([cycles_of(c) for c in commands])
        for kind in np.unique(theirs[f"{engine}_kinds"]):
            own = theirs[f"{engine}_kinds"] == kind
            assert found[own].sum() == pytest.approx(theirs[f"{engine}_cycles"][own].sum(), 0.01)
    assert estimate(*streams).total == pytest.approx(int(theirs["total"]), rel=0.001)


def test_there_are_streams_of_every_type() -> None:
    assert {name.rsplit("_", 1)[1] for name in NAMES} == {"int8", "f16", "bf16", "f32"}


@pytest.mark.parametrize(
    ("kind", "count", "width", "cycles"),
    [
        (F16, 1000, 1024, 32000),
        (F16, 100, 768, 2400),
        (F16, 64, 31, 62),
        (F16, 32, 312, 312),
        (F32, 16, 64, 64),
        (F32, 128, 256, 2048),
    ],
)
def test_gathered_rows_take_what_they_say(kind: Element, count: int, width: int, cycles) -> None:
    """Of `model_deploy --debug` for Gather alone."""
    fields = {"type": kind.code, "r_c": 1, "r_h": count, "r_w": width, "s_c": 1, "s_h": 70}
    assert cycles_of(Command("dma_gather", fields)) == cycles


def test_commands_wait_and_overlap() -> None:
    compiled = compile_graph(together(["conv 3x3, two rows of channels", "add in pieces"]))
    tiu, dma = decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")
    time = estimate(tiu, dma)
    assert max(time.busy) <= time.total <= sum(time.busy)
    for mine, spans, others in ((tiu, time.tiu, time.dma), (dma, time.dma, time.tiu)):
        for command, (start, _) in zip(mine, spans):
            assert not command.wait or start >= others[command.wait - 1][1]
