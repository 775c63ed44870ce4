"""What no instructions can do: one line that names the op and the limit, before anything is cut."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends.bm1684x.cases import S8, U8, _conv, _pair, feeds_of
from tests.backends.bm1684x.cases import _pool as _bytes_pool
from tests.backends.bm1684x.float_cases import F16, F32, float_op
from tests.backends.bm1684x.running import run_here
from tpuc.backends.bm1684x import compile_graph, why_not
from tpuc.errors import UnsupportedError
from tpuc.ir import Graph
from tpuc.pipeline.emitting import emit_bmodel
from tpuc.simulator import Program


def _pool(**attrs) -> Graph:
    more = {"pool_mode": "Max", "kernel_shape": (3, 3), "strides": (1, 1), "pads": (0,) * 4}
    return float_op("Pool2D", F32, [(1, 3, 40, 40)], (1, 3, 4, 4), {**more, **attrs})


NOT_COVERED = {
    "strides [16, 16] do not fit 4 bits": lambda: _pool(strides=(16, 16)),
    "pads [0, 20, 0, 20] do not fit 4 bits": lambda: _pool(pads=(0, 20, 0, 20)),
    "has 70000 numbers along its axis; at most 65535": lambda: float_op(
        "Softmax", F32, [(2, 70000)], (2, 70000), {"axis": 1}
    ),
    "moves more than 4096 boxes of its operand": lambda: float_op(
        "Slice", F16, [(5000,)], (5000,), {"offset": (-1,), "steps": (-1,), "ends": (-9999,)}
    ),
    "exponent is 1.7": lambda: float_op("Pow", F32, [(1, 8)], (1, 8), {"exponent": 1.7}),
}


@pytest.mark.parametrize("reason", NOT_COVERED)
def test_what_a_command_can_not_say_is_named(reason: str) -> None:
    skip = why_not(NOT_COVERED[reason]())
    assert skip is not None and skip.nodes == ("y",)
    assert skip.reason.endswith(f"'y': {reason}")


TOO_LARGE = {
    "Softmax 'y': a row of 60000 numbers": lambda: float_op(
        "Softmax", F32, [(2, 60000)], (2, 60000), {"axis": 1}
    ),
    "MatMul 'y': 64 rows of 65535 numbers": lambda: float_op(
        "MatMul", F16, [(1, 70, 65535), (1, 65535, 128)], (1, 70, 128)
    ),
    "Conv2D 'out': one pixel of 64 channels needs ": lambda: _conv((1, 1280, 15, 15), 64, (15, 15)),
}


@pytest.mark.parametrize("told", TOO_LARGE)
def test_what_local_memory_can_not_hold_is_named(told: str) -> None:
    graph = TOO_LARGE[told]()
    with pytest.raises(UnsupportedError, match=rf"{told}.* bytes of each lane; expected at most "):
        compile_graph(graph)


LONG = {
    "pool": lambda: _bytes_pool("Max", (1, 3, 4, 70000), (2, 2), U8),
    "pool of rows": lambda: _bytes_pool("Max", (1, 3, 70000, 4), (2, 2), U8),
    "conv": lambda: _conv((1, 2, 3, 70000), 2, (3, 3), pads=(1, 1, 1, 1)),
    "conv of rows": lambda: _conv((1, 2, 70000, 3), 2, (3, 3), pads=(1, 1, 1, 1)),
    "conv to half": lambda: _conv((1, 2, 1, 140000), 2, (1, 3), strides=(1, 2)),
    "many channels": lambda: _conv((1, 2, 3, 3), 70000, (1, 1)),
    "sum": lambda: _pair("Add", (U8, U8, S8), (1, 2, 1, 70000)),
}


@pytest.mark.parametrize("name", LONG)
def test_sizes_beyond_16_bits_are_cut(name: str) -> None:
    graph = LONG[name]()
    feeds = feeds_of(graph)
    found = run_here(graph, compile_graph(graph), feeds)
    expected = Program(graph).run(feeds, raw=True)
    for output, array in found.items():
        np.testing.assert_array_equal(array, expected[output])


def test_weights_beyond_all_addresses_are_named() -> None:
    """Four GiB that take no memory here."""
    shape = 1 << 16, 1 << 15
    graph = float_op("MatMul", F16, [(1, 8)], (1, 8), {}, [np.zeros((8, 8))])
    weight = graph.nodes[2].inputs[1]
    weight.shape, weight.data = shape, np.broadcast_to(np.float32(0), shape)
    told = r"MatMul 'y': has 4294967296 bytes of weights.*expected less than 4294967296 in all"
    with pytest.raises(UnsupportedError, match=told):
        compile_graph(graph)


def test_a_file_without_instructions_says_which_op(tmp_path, bm1684x) -> None:
    from dataclasses import replace

    chip = replace(bm1684x, instructions="tiu_dma", lanes=64, lane_bytes=262144, eu_bytes=64)
    for graph in (NOT_COVERED["exponent is 1.7"](), next(iter(TOO_LARGE.values()))()):
        emitted = emit_bmodel(tmp_path / "x.bmodel", graph, chip)
        assert emitted.instruction_bytes is None
        assert emitted.skip is not None and "'y'" in emitted.skip.reason
        assert (tmp_path / "x.bmodel").exists()
