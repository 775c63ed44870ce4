from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tpuc.calibration.table import read
from tpuc.execute import run
from tpuc.frontend import read_torchscript
from tpuc.ir import Graph, Value, with_defaults
from tpuc.lowering import lower
from tpuc.lowering.prepare import fold_scales
from tpuc.passes import canonicalize
from tpuc.processors import Processor
from tpuc.simulator import interpret

GOLDEN = Path(__file__).parents[1] / "golden" / "torchscript"


def weight(name: str, *shape: int) -> Value:
    data = np.random.default_rng(len(name)).standard_normal(shape).astype(np.float32)
    return Value(name, shape, data=data)


def conv_scale(bias: bool = True, relu: bool = False, branch: bool = False) -> Graph:
    """Conv -> Scale with relu6; `branch` gives the Conv a second user."""
    graph = Graph("net")
    x, y, z = (Value(n, (1, c, 6, 6)) for n, c in (("x", 3), ("conv", 4), ("scale", 4)))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    window = {"kernel_shape": (3, 3), "strides": (1, 1), "pads": (1, 1, 1, 1)}
    operands = [x, weight("w", 4, 3, 3, 3), weight("bias", 4) if bias else None]
    graph.add("Conv", operands, [y], with_defaults("Conv", {**window, "do_relu": relu}))
    limited = with_defaults("Scale", {"do_relu": True, "relu_limit": 6.0})
    graph.add("Scale", [y, weight("s", 1, 4), weight("shift", 1, 4)], [z], limited)
    graph.outputs = [z]
    if branch:
        other = Value("other", y.shape)
        graph.add("Relu", [y], [other], with_defaults("Relu", {}))
        graph.outputs.append(other)
    return graph


@pytest.mark.parametrize("bias", [True, False])
def test_scale_folds_into_the_conv_before_it(bias: bool) -> None:
    graph = conv_scale(bias)
    folded = fold_scales(graph)
    assert [(n.op, n.name) for n in folded.nodes] == [("Input", "x"), ("Conv", "scale")]
    assert folded.nodes[1].attrs["do_relu"] is True
    assert folded.nodes[1].attrs["relu_limit"] == 6.0
    x = np.random.default_rng(0).standard_normal((1, 3, 6, 6)).astype(np.float32)
    wanted = run(graph, {"x": x})["scale"]
    np.testing.assert_allclose(run(folded, {"x": x})["scale"], wanted, rtol=1e-5, atol=1e-5)


def test_the_given_graph_is_left_alone() -> None:
    graph = conv_scale()
    before = graph.nodes[1].weight(1).copy()
    fold_scales(graph)
    assert [n.op for n in graph.nodes] == ["Input", "Conv", "Scale"]
    np.testing.assert_array_equal(graph.nodes[1].weight(1), before)


@pytest.mark.parametrize("obstacle", [{"relu": True}, {"branch": True}])
def test_scale_stays_where_it_must(obstacle: dict) -> None:
    folded = fold_scales(conv_scale(**obstacle))
    assert [n.op for n in folded.nodes][1:3] == ["Conv", "Scale"]


def test_scale_stays_behind_a_conv_that_is_an_output() -> None:
    graph = conv_scale()
    graph.outputs.append(graph.find("conv"))
    assert [n.op for n in fold_scales(graph).nodes] == ["Input", "Conv", "Scale"]


def test_int8_tensors_are_the_vendors(bm1684x: Processor) -> None:
    graph = read_torchscript(GOLDEN / "unit.pt", [[1, 4, 8, 8]])
    canonicalize(graph)
    lowered = lower(graph, read(GOLDEN / "unit_cali_table"), bm1684x, "INT8").graph
    with np.load(GOLDEN / "unit_int8.npz") as archive:
        tensors = dict(archive)
    results = interpret(lowered, {lowered.inputs[0].name: tensors.pop("sample")})
    stored = {v.name: v for v in lowered.values()}
    assert sorted(tensors) == sorted(name for name in results if name in tensors)
    assert len(tensors) > 20
    for name, wanted in tensors.items():
        x, quant = results[name].astype(np.float32), stored[name].quant
        if quant is not None:
            x = (x - np.float32(quant.zero_point)) * np.float32(quant.scale)
        np.testing.assert_array_equal(x.reshape(-1), wanted.reshape(-1), name)
