"""Equalization evens out weight ranges, and the float network stays what it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden import networks
from tpuc.correction.weight_equalization import equalize_weights
from tpuc.ir import Graph, Value, with_defaults
from tpuc.ir.types import DType
from tpuc.lowering import float_twin
from tpuc.simulator import FloatEngine


class _Builder:
    """A chain of layers with badly spread weights."""

    def __init__(self, seed: int, channels: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.graph = Graph("net")
        self.value = Value("input", (1, channels, 6, 6))
        self.graph.add("Input", [], [self.value], with_defaults("Input", {}))

    def weight(self, name: str, shape: tuple[int, ...]) -> Value:
        spread = np.exp(self.chance.normal(0, 1.5, (shape[0], *[1] * (len(shape) - 1))))
        data = (self.chance.normal(0, 1, shape) * spread).astype(np.float32)
        return Value(name, shape, DType.F32, None, data)

    def conv(self, out: int, group: int = 1, **attrs) -> None:
        name = f"conv{len(self.graph.nodes)}"
        n, c, h, w = self.value.shape
        filters = self.weight(f"{name}_w", (out, c // group, 3, 3))
        bias = self.weight(f"{name}_b", (out,))
        result = Value(name, (n, out, h, w))
        given = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "strides": (1, 1), "group": group}
        given |= {"dilations": (1, 1), **attrs}
        self.graph.add("Conv", [self.value, filters, bias], [result], with_defaults("Conv", given))
        self.value = result

    def finish(self) -> Graph:
        self.graph.outputs = [self.value]
        return self.graph


def outputs(graph: Graph, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(0, 1, graph.inputs[0].shape).astype(np.float32)
    name = graph.outputs[0].name
    return FloatEngine(float_twin(graph), 1).run({graph.inputs[0].name: x}, [name])[name]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([4, 8]), st.booleans(), st.sampled_from([1, 2, "c"]))
def test_float_outputs_stay(seed, channels, relu, group):
    build = _Builder(seed, 4)
    build.conv(channels, do_relu=relu)
    build.conv(channels, group=channels if group == "c" else group, do_relu=True)
    build.conv(6)
    graph = build.finish()
    made = equalize_weights(graph)
    before, after = outputs(graph), outputs(made.graph)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4 * np.abs(before).max())
    assert len(made.notes) == 3


def test_ranges_of_both_layers_become_alike():
    build = _Builder(3, 4)
    build.conv(8, do_relu=True)
    build.conv(6)
    graph = build.finish()
    one, two = (n for n in equalize_weights(graph).graph.nodes if n.op == "Conv")
    r1 = np.abs(one.weight(1)).reshape(8, -1).max(axis=1)
    r2 = np.abs(two.weight(1)).transpose(1, 0, 2, 3).reshape(8, -1).max(axis=1)
    np.testing.assert_allclose(r1, r2, rtol=1e-5)
    assert one.inputs[1].data is not next(n for n in graph.nodes if n.op == "Conv").inputs[1].data


def tensors_of(graph: Graph, seeds: range):
    def tensors(names):
        for seed in seeds:
            x = np.random.default_rng(seed).normal(0, 1, graph.inputs[0].shape).astype(np.float32)
            yield FloatEngine(float_twin(graph), 1).run({graph.inputs[0].name: x}, list(names))

    return tensors


def limited(seed: int, limit: float) -> Graph:
    build = _Builder(seed, 4)
    build.conv(8, do_relu=True, relu_limit=limit)
    build.conv(8, group=8, do_relu=True, relu_limit=limit)
    build.conv(6)
    return build.finish()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([0.5, 6.0, 40.0, 1e6]))
def test_float_outputs_stay_through_limits(seed, limit):
    graph = limited(seed, limit)
    made = equalize_weights(graph, tensors_of(graph, range(3)))
    for other in (0, 1, 2):
        before, after = outputs(graph, other), outputs(made.graph, other)
        np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4 * np.abs(before).max())


def test_channels_near_the_limit_scale_together_with_it():
    graph = limited(1, 40.0)
    made = equalize_weights(graph, tensors_of(graph, range(1)))
    (top,) = [b[graph.nodes[1].name].max(axis=(0, 2, 3))
              for b in tensors_of(graph, range(1))([graph.nodes[1].name])]  # fmt: skip
    one, other = (next(n for n in g.nodes if n.op == "Conv") for g in (graph, made.graph))
    factor = np.abs(one.weight(1)).max(axis=(1, 2, 3)) / np.abs(other.weight(1)).max(axis=(1, 2, 3))
    near = top >= 20.0
    assert 1 < np.count_nonzero(near) < len(near)
    np.testing.assert_allclose(factor[near], factor[near][0], rtol=1e-5)
    assert (factor >= factor[near][0] * (1 - 1e-6)).all() and factor.std() > 0.1
    np.testing.assert_allclose(other.attrs["relu_limit"] * factor[near][0], 40.0, rtol=1e-5)
    assert "come near the limit of 40" in made.notes[0].what


def test_without_samples_a_limit_is_an_obstacle_that_is_told():
    graph = limited(4, 6.0)
    made = equalize_weights(graph)
    assert "limit of 6 is not known" in made.notes[0].what
    np.testing.assert_array_equal(outputs(made.graph), outputs(graph))


def test_a_dead_channel_keeps_its_weights():
    build = _Builder(5, 4)
    build.conv(8, do_relu=True)
    build.conv(6)
    graph = build.finish()
    first = next(n for n in graph.nodes if n.op == "Conv")
    first.inputs[1].data[2] = 0.0
    made = next(n for n in equalize_weights(graph).graph.nodes if n.op == "Conv").weight(1)
    assert np.isfinite(made).all() and not made[2].any()


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_networks_with_branches_stay(golden, name):
    graph = golden(name)
    made = equalize_weights(graph)
    one, other = (
        FloatEngine(float_twin(g), 1).run({"input": networks.sample(0)}, [g.outputs[0].name])
        for g in (graph, made.graph)
    )
    (a,), (b,) = one.values(), other.values()
    np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-3 * np.abs(a).max())
    assert any("channel range" in note.what for note in made.notes)
    assert any("several ops" in note.what for note in made.notes)
