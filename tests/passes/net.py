"""A few words to write small Top graphs in tests, and what to ask of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpuc.execute import run
from tpuc.ir import Attr, Graph, Value, with_defaults
from tpuc.ir.shapes import infer_shapes

__all__ = ["Net", "assert_same_numbers", "ops", "reasons"]


class Net:
    """Builds a graph op by op; shapes are inferred, weights are made from a fixed seed."""

    def __init__(self, *shape: int, platform: str = "ONNX") -> None:
        self.graph = Graph("net", "top", {"platform": platform})
        self.rng = np.random.default_rng(3)
        self.x = Value("x", shape)
        self.graph.add("Input", [], [self.x], with_defaults("Input", {}))

    def weight(self, name: str, *shape: int) -> Value:
        """Random numbers."""
        return self.given(name, self.rng.standard_normal(shape))

    def given(self, name: str, data: object) -> Value:
        """Given numbers."""
        array = np.asarray(data, np.float32)
        return Value(name, array.shape, data=array)

    def op(self, kind: str, name: str, *inputs: Value | None, **attrs: Attr) -> Value:
        """Add an op of one result called `name`."""
        out = Value(name, ())
        node = self.graph.add(kind, inputs, [out], with_defaults(kind, attrs))
        out.shape = infer_shapes(node)[0]
        return out

    def conv(
        self, name: str, x: Value, channels: int, kernel: int = 1, pad: int = 0, **attrs: Attr
    ) -> Value:
        """A square convolution with bias."""
        group = int(attrs.get("group", 1))  # type: ignore[arg-type]
        w = self.weight(f"{name}_w", channels, x.shape[1] // group, kernel, kernel)
        window = {
            "kernel_shape": (kernel, kernel),
            "strides": (1, 1),
            "pads": (pad,) * 4,
            "dilations": (1, 1),
            "group": 1,
            **attrs,
        }
        return self.op("Conv", name, x, w, self.weight(f"{name}_b", channels), **window)

    def pool(self, kind: str, name: str, x: Value, kernel: int, **attrs: Attr) -> Value:
        """A square pool."""
        window = {"kernel_shape": (kernel,) * 2, "strides": (1, 1), "pads": (0,) * 4, **attrs}
        return self.op(kind, name, x, **window)

    def done(self, *outputs: Value) -> Graph:
        """The graph with these outputs."""
        self.graph.outputs = list(outputs)
        return self.graph


def ops(graph: Graph) -> list[str]:
    """`Kind name` of every op but the inputs; `+relu` or `+relu6.0` where one is fused."""
    found = []
    for node in graph.nodes:
        limit = node.number("relu_limit") if node.flag("do_relu") else None
        fused = "" if limit is None else f"+relu{limit if limit > 0 else ''}"
        found.append(f"{node.op}{fused} {node.name}")
    return found[len(graph.inputs) :]


def reasons(skips: Sequence[object]) -> str:
    """All reasons, one a line."""
    return "\n".join(skip.reason for skip in skips)  # type: ignore[attr-defined]


def assert_same_numbers(before: Graph, after: Graph, tolerance: float = 1e-5) -> None:
    """Both graphs give the same outputs, in order, for one random input."""
    rng = np.random.default_rng(5)
    feeds = {v.name: rng.standard_normal(v.shape).astype(np.float32) * 3 for v in before.inputs}
    left, right = run(before, feeds), run(after, feeds)
    assert len(before.outputs) == len(after.outputs)
    for a, b in zip(before.outputs, after.outputs):
        expected, got = left[a.name], right[b.name]
        assert expected.shape == got.shape
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)
