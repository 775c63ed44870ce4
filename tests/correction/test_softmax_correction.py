"""Softmax correction: the float network stays, attention weights reach to about 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.correction.test_smoothquant import engine, network, tensors_of
from tests.golden import transformers
from tpuc.artifacts import CalibrationTable, Range
from tpuc.correction import correct_softmaxes, with_unit_ranges
from tpuc.ir import Graph, Value, with_defaults


def attention(shape: tuple[int, ...]) -> Graph:
    """relu(softmax(x) x') of one random network, x': x with its last axes swapped."""
    graph = Graph("net")
    x = Value("x", shape)
    graph.add("Input", [], [x], with_defaults("Input", {}))
    order = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
    turned = Value("v", (*shape[:-2], shape[-1], shape[-2]))
    graph.add("Permute", [x], [turned], with_defaults("Permute", {"order": order}))
    soft, mixed, out = (
        Value("p", shape),
        Value("m", (*shape[:-1], shape[-2])),
        Value("y", (*shape[:-1], shape[-2])),
    )
    attrs = with_defaults("Softmax", {"axis": len(shape) - 1})
    graph.add("Softmax", [x], [soft], attrs)
    graph.add("MatMul", [soft, turned, None], [mixed], with_defaults("MatMul", {}))
    graph.add("Relu", [mixed], [out], with_defaults("Relu", {}))
    graph.outputs = [out]
    return graph


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(2, 9), st.booleans())
def test_float_outputs_stay_and_heads_have_factors_of_their_own(seed, heads, tokens, batched):
    shape = (1, heads, 5, tokens) if batched else (heads, 5, tokens)
    graph, chance = attention(shape), np.random.default_rng(seed)
    strength = np.arange(1, heads + 1).reshape(heads, 1, 1)
    feeds = [{"x": (chance.normal(0, 1, shape) * strength).astype(np.float32)} for _ in range(3)]

    def tensors(names):
        return (engine(graph).run(f, list(names)) for f in feeds)

    made = correct_softmaxes(graph, tensors).graph
    soft = np.stack([t["p"].reshape(heads, 5, tokens) for t in tensors(["p"])])
    wanted = soft.max(axis=-1).mean(axis=(0, 2))
    factors = {n.name: n.weight(1) for n in made.nodes if n.op == "Mul"}
    assert list(factors) == ["p_Smc_Inv_Mul", "m_Smc_Mul"]
    np.testing.assert_allclose(factors["m_Smc_Mul"].ravel(), wanted, rtol=1e-5)
    np.testing.assert_allclose(factors["p_Smc_Inv_Mul"].ravel(), 1 / wanted, rtol=1e-5)
    for f in feeds:
        before, after = engine(graph).run(f, ["y"])["y"], engine(made).run(f, ["y"])["y"]
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["vit", "bert"])
def test_float_outputs_of_transformers_stay(name, tmp_path):
    graph = network(name, tmp_path)
    made = correct_softmaxes(graph, tensors_of(graph, name))
    count = sum(n.op == "Softmax" for n in graph.nodes)
    assert len(made.graph.nodes) == len(graph.nodes) + 2 * count and count
    outputs = [v.name for v in graph.outputs]
    feeds = transformers.sample(name, 7)
    one, other = engine(graph).run(feeds, outputs), engine(made.graph).run(feeds, outputs)
    for key in outputs:
        limit = 1e-4 * np.abs(one[key]).max()
        np.testing.assert_allclose(other[key], one[key], rtol=1e-3, atol=limit)


def test_what_is_no_attention_is_told():
    graph = attention((1, 2, 3, 4))
    graph.outputs = [graph.find("p")]
    made = correct_softmaxes(graph, lambda names: iter(()))
    assert len(made.graph.nodes) == len(graph.nodes)
    assert "reads it" in made.notes[0].what


def test_scaled_weights_reach_to_one():
    table = CalibrationTable({"p_Smc_Inv_Mul": Range(3.0, 0.0, 3.0), "m": Range(2.0, -1.0, 2.0)})
    made = with_unit_ranges(table, ["m", "p_Smc_Inv_Mul", "other"])
    assert made.ranges["p_Smc_Inv_Mul"] == Range(1.0, 0.0, 1.0)
    assert made.ranges["m"] == table.ranges["m"]
