"""Float ops of a lowered graph: rounded to the type, with memory of their own."""

from __future__ import annotations

import numpy as np
import pytest

from tpuc.ir import DType, Graph, Value, with_defaults
from tpuc.kernels.casts import round_to
from tpuc.simulator import Program


def _graph(op: str, dtype: DType, out: tuple[int, ...], attrs: dict[str, object]) -> Graph:
    graph = Graph("float", "tpu")
    source = Value("in", (1, 65536))
    graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
    result = Value("out", out, dtype)
    graph.add(op, [source], [result], with_defaults(op, attrs, "tpu"))
    graph.outputs = [result]
    return graph


def _patterns(high: int) -> np.ndarray:
    """All float32 whose upper 16 bits are anything and whose lower bits sit around a half."""
    bits = (np.arange(65536, dtype=np.uint32) << np.uint32(16)) | np.uint32(high)
    values = bits.view(np.float32)
    return np.where(np.isfinite(values), values, np.float32(1.0))[None]


@pytest.mark.parametrize("dtype", [DType.F32, DType.F16, DType.BF16])
@pytest.mark.parametrize("low_bits", [0, 1, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
def test_every_result_is_rounded_to_nearest_even(dtype: DType, low_bits: int) -> None:
    x = _patterns(low_bits)
    graph = _graph("MulConst", dtype, x.shape, {"const_val": 1.0})
    found = Program(graph).run({"in": x})["out"]
    np.testing.assert_array_equal(found, round_to(x, dtype))


@pytest.mark.parametrize("dtype", [DType.F16, DType.BF16])
def test_limits_do_not_round(dtype: DType) -> None:
    x = _patterns(1)
    graph = _graph("Relu", dtype, x.shape, {"relu_limit": -1.0})
    np.testing.assert_array_equal(Program(graph).run({"in": x})["out"], np.maximum(x, 0))


def test_a_view_does_not_hand_out_the_callers_memory() -> None:
    x = _patterns(0)
    graph = _graph("Reshape", DType.F32, (256, 256), {"shape": (256, 256)})
    found = Program(graph).run({"in": x})["out"]
    assert not np.shares_memory(found, x)
    np.testing.assert_array_equal(found.reshape(x.shape), x)


def test_inputs_may_be_read_only() -> None:
    x = _patterns(0)
    x.flags.writeable = False
    Program(_graph("Relu", DType.F32, x.shape, {"relu_limit": -1.0})).run({"in": x})
