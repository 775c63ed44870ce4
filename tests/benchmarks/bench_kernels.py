"""Single integer ops of usual sizes on the C kernels, against the numpy reference of each.

The reference works on plain arrays: its time includes taking operands out of images and putting
the result into one, as it does between other C kernels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from tpuc.kernels._cpu import isa_name
from tpuc.kernels._int8 import View

from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting
from tests.kernels.single_op import integers, single_op
from tpuc.ir import DType, Graph, Node, Value
from tpuc.kernels.image import Need, layout_of
from tpuc.simulator import Program, run_node

__all__ = ["lines"]


class Case(NamedTuple):
    """An op: shapes of its operands and its result, attributes, shape of a constant operand."""

    op: str
    shapes: list[tuple[int, ...]]
    out: tuple[int, ...]
    attrs: dict[str, Any]
    constant: tuple[int, ...] | None = None


_TOKENS, _HEADS = (1, 197, 768), (1, 12, 197, 64)
_MAP, _SCALED = (1, 64, 80, 80), {"multipliers": (9999,), "rshifts": (26,)}
_WINDOW = {"kernel_shape": (4, 4), "strides": (2, 2), "pads": (1, 1, 1, 1), "dilations": (1, 1)}
_PADS = {"mode": "constant", "paddings": (0, 0, 1, 1, 0, 0, 1, 1)}
_HALF = {"offset": (0, 32, 0, 0), "steps": (1, 1, 1, 1), "ends": (1, 64, 80, 80)}
_CASES = [
    Case("MatMul", [_HEADS, (1, 12, 64, 197)], (1, 12, 197, 197), _SCALED),
    Case("MatMul", [_TOKENS], (1, 197, 3072), _SCALED, (768, 3072)),
    Case("Permute", [(1, 197, 12, 64)], _HEADS, {"order": (0, 2, 1, 3)}),
    Case("Permute", [(1, 3, 85, 80, 80)], (1, 3, 80, 80, 85), {"order": (0, 1, 3, 4, 2)}),
    Case("Slice", [_MAP], (1, 32, 80, 80), _HALF),
    Case("Pad", [_MAP], (1, 64, 82, 82), _PADS),
    Case("Upsample", [_MAP], (1, 64, 160, 160), {"scale_h": 2, "scale_w": 2}),
    Case("Sub", [_MAP, _MAP], _MAP, {"multipliers": (93, 117), "rshifts": (6, 7)}),
    Case("PRelu", [_MAP], _MAP, {"rshift": 6}, (1, 64, 1, 1)),
    Case("Deconv", [(1, 64, 40, 40)], (1, 32, 80, 80), _WINDOW, (32, 64, 4, 4)),
]


def lines(setting: Setting) -> Iterator[Line]:
    """Milliseconds of one thread."""
    rng = np.random.default_rng(0)
    for case in _CASES:
        graph = _graph(case, rng)
        feeds = {
            v.name: integers(rng, v.shape, v.users[0].output.dtype).astype(np.float32)
            for v in graph.inputs
        }
        seconds = Program(graph, 1).profile(feeds, 10)["out"]
        theirs = _reference_seconds(graph.nodes[-1])
        yield Line(
            f"{case.op} {case.shapes[0]} to {case.out}, 1 thread, {isa_name()}",
            f"{seconds * 1e3:.3f} ms",
            f"numpy {theirs * 1e3:.2f} ms",
            f"faster: {theirs / seconds:.0f} x",
            seconds < theirs,
        )


def _graph(case: Case, rng: np.random.Generator) -> Graph:
    weights: list[np.ndarray | None] = []
    if case.constant is not None:
        weights = [rng.integers(-128, 128, case.constant).astype(np.int8)]
    dtype = DType.SI32 if case.op == "Deconv" else DType.SI8
    inputs = [(shape, DType.SI8) for shape in case.shapes]
    return single_op(case.op, inputs, (case.out, dtype), case.attrs, weights)


def _image(value: Value) -> tuple[View, np.ndarray]:
    """A view of a value as an image, and a plain array of its size."""
    layout = layout_of(value, Need())
    view = layout.view(np.zeros(layout.size, np.uint8), 0)
    return view, np.zeros(value.shape, value.dtype.numpy)


def _reference_seconds(node: Node) -> float:
    """Best of five."""
    sources = [_image(v) for v in node.activations]
    result, _ = _image(node.output)
    found = []
    for _ in range(5):
        start = time.perf_counter()
        for view, plain in sources:
            view.store(plain.reshape(-1).view(np.uint8), 1)
        computed = iter(plain for _, plain in sources)
        operands = [None if v is None else v.data for v in node.inputs]
        made = run_node(node, [next(computed) if o is None else o for o in operands])[0]
        result.load(np.ascontiguousarray(made).reshape(-1).view(np.uint8), 1)
        found.append(time.perf_counter() - start)
    return min(found)
