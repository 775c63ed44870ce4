"""C kernels of element-wise float ops.

    y = finish(a op b),  finish(min(max(x, low), high)),  table[x] for 16-bit floats,
    finish(float32(f(float64(x)))) for float32

`finish` limits (fused relu) and rounds to the type of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from tpuc.ir import DType, Node, Value
from tpuc.kernels import _float, _float_rows
from tpuc.kernels._float_functions import MODES, Function
from tpuc.kernels._int8 import View
from tpuc.kernels.float_conv import end_of, kind_of
from tpuc.kernels.image import constant_image, geometry
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.float_exact import rounding_of
from tpuc.simulator.image_kernel import ImageKernel
from tpuc.simulator.interpreter import run_node

__all__ = ["ELEMENTWISE", "copy_kernel", "end_of_node", "floats_of", "operands_of"]

_PAIRS = {"Add": 0, "Sub": 1, "Mul": 2, "Div": 3, "Max": 4, "Min": 5}
_PRELU = 6

Operand: TypeAlias = Value | Any
"""An image that the op reads, or a constant's view."""


def end_of_node(node: Node) -> _float.End:
    """Fused relu and rounding of a result; `simulator.float8` says which zeros have a sign."""
    if not node.attrs.get("do_relu"):
        return end_of(rounding_of(node))
    limit = node.number("relu_limit")
    if limit > 0:
        return end_of(rounding_of(node), 0.0, limit)
    eight = node.op == "Conv2D" and node.activations[0].dtype.is_float8
    return end_of(rounding_of(node), -0.0 if eight else 0.0)


def floats_of(value: Value | None, what: str) -> np.ndarray:
    """A constant operand.

    Raises
    ------
    Unfit : it is computed
    """
    if value is None or value.data is None:
        raise Unfit(f"its {what} is computed")
    return np.asarray(value.data, np.float32)


def operands_of(node: Node) -> list[Operand]:
    """Images and constants, each of the result's rank and repeatable to its shape."""
    rank = len(node.output.shape)
    found: list[Operand] = []
    for value in node.inputs:
        if value is None:
            raise Unfit("an operand is missing")
        shape = (1,) * (rank - len(value.shape)) + value.shape
        fits = len(shape) == rank and _repeats(shape, node.output.shape)
        if not fits or (value.data is None and len(value.shape) != rank):
            raise Unfit(f"operands of shapes {[v.shape for v in node.inputs if v is not None]}")
        constant = value.data is not None
        if shape[0] != (1 if constant else node.output.shape[0]):
            raise Unfit("a constant for each sample, or one sample for all")
        found.append(constant_image(floats_of(value, "operand"), rank) if constant else value)
    return found


def _repeats(small: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether each dimension of an image is the other's, or 1."""
    a, b = geometry(small), geometry(whole)
    assert a is not None and b is not None
    pairs = (*zip(small, whole), *zip(a, b))
    return all(s in (1, o) for s, o in pairs)


def _fold(steps: Sequence[int], operands: Sequence[Operand], end: _float.End) -> ImageKernel:
    """((o0 steps[0] o1) steps[1] o2) ...: float32 between, finished once."""
    exact = end_of(DType.F32)
    inputs = tuple(v for v in operands if isinstance(v, Value))

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        images = iter(sources)
        views = [next(images) if isinstance(v, Value) else v for v in operands]
        left = views[0]
        for count, (kind, right) in enumerate(zip(steps, views[1:]), 1):
            last = end if count == len(steps) else exact
            _float_rows.pair(kind, last, left, right, target, threads)
            left = target

    return ImageKernel(run, inputs)


def _pair(node: Node) -> ImageKernel:
    operands = operands_of(node)
    factors: tuple[float, ...] = node.attrs.get("coeff") or ()  # type: ignore[assignment]
    if len(operands) < 2 or any(float(c) != 1.0 for c in factors):
        raise Unfit("one operand, or operands with factors")
    if node.attrs.get("is_reverse"):
        operands = operands[::-1]
    return _fold([_PAIRS[node.op]] * (len(operands) - 1), operands, end_of_node(node))


def _const(node: Node) -> ImageKernel:
    """An operand and one number."""
    rank = len(node.output.shape)
    number = constant_image(np.array(node.number("const_val"), np.float32), rank)
    operands: list[Operand] = [node.activations[0], number]
    if node.op == "Reciprocal" or node.attrs.get("is_reverse"):
        operands = operands[::-1]
    kind = _PAIRS[{"Reciprocal": "Div"}.get(node.op, node.op.removesuffix("Const"))]
    return _fold([kind], operands, end_of_node(node))


def _scale(node: Node) -> ImageKernel:
    """x * scale + bias by channel."""
    rank = len(node.output.shape)
    shape = (1, -1, *(1,) * (rank - 2))
    factor, bias = (
        constant_image(floats_of(node.inputs[i], what).reshape(shape), rank)
        for i, what in ((1, "scale"), (2, "bias"))
    )
    steps = [_PAIRS["Mul"], _PAIRS["Add"]]
    return _fold(steps, [node.activations[0], factor, bias], end_of_node(node))


def copy_kernel(node: Node, end: _float.End) -> ImageKernel:
    """A finished copy of the op's one operand."""

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        _float_rows.copy(end, sources[0], target, 0, threads)

    return ImageKernel(run, (node.activations[0],))


def _relu(node: Node) -> ImageKernel:
    limit = node.number("relu_limit")
    return copy_kernel(node, end_of(rounding_of(node), 0.0, limit if limit > 0 else np.inf))


def _clip(node: Node) -> ImageKernel:
    return copy_kernel(node, end_of(rounding_of(node), node.number("min"), node.number("max")))


def _at_least(node: Node) -> ImageKernel:
    return copy_kernel(node, end_of(node.output.dtype, low=node.number("const_val")))


def _at_most(node: Node) -> ImageKernel:
    return copy_kernel(node, end_of(node.output.dtype, high=node.number("const_val")))


def _prelu(node: Node) -> ImageKernel:
    """x, or x * slope below 0; slopes by channel."""
    rank, slope = len(node.output.shape), floats_of(node.inputs[1], "slope")
    if slope.ndim != rank:
        slope = slope.reshape(1, -1, *(1,) * (rank - 2))
    if not _repeats(slope.shape, node.output.shape):
        raise Unfit(f"slopes of shape {slope.shape}")
    return _fold([_PRELU], [node.activations[0], constant_image(slope, rank)], end_of_node(node))


def _function_kernel(node: Node) -> ImageKernel:
    """A function of float32, computed in float64."""
    mode, a, b = "LEAKY", 0.0, 0.0
    if node.op == "LeakyRelu":
        a = node.number("alpha")
    elif node.op == "Active":
        mode, given = node.text("mode"), node.attrs["coeffs"]
        a, b = [*(float(c) for c in given), 0.0, 0.0][:2]  # type: ignore[union-attr]
    if mode not in MODES or node.op not in ("LeakyRelu", "Active"):
        raise Unfit(f"{node.op} {mode if node.op == 'Active' else ''} of float32 has no C kernel")
    kernel = Function(mode, a, b, end_of_node(node))

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        kernel.run(sources[0], target, threads)

    return ImageKernel(run, (node.activations[0],))


def _table(node: Node) -> ImageKernel:
    """Any function of one 16-bit float: its reference, run on all 65536 of them."""
    source, out = node.activations[0], node.output
    if len(node.inputs) != 1 or source.shape != out.shape:
        raise Unfit("more than one operand")
    if source.dtype == DType.F32 or source.dtype.is_float8:
        return _function_kernel(node)
    table = _function(node.op, tuple(sorted(node.attrs.items())), source.dtype, out.dtype)
    kind = kind_of(source.dtype)

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        if not _float_rows.look_up(table, kind, sources[0], target, threads):
            shape = sources[0].shape  # numbers that were never rounded: the vendor's interpolation
            plain = np.empty(shape, np.float32)
            sources[0].store(plain.reshape(-1).view(np.uint8), threads)
            result = _run_apart(node, plain, source.dtype)
            target.load(np.ascontiguousarray(result).reshape(-1).view(np.uint8), threads)

    return ImageKernel(run, (source,))


def _run_apart(node: Node, x: np.ndarray, dtype: DType) -> np.ndarray:
    """The reference of a function of one operand, on any shape."""
    values = Value("x", x.shape, dtype), Value("y", x.shape, node.output.dtype)
    return run_node(Node(node.op, values[:1], values[1:], dict(node.attrs)), [x])[0]


@lru_cache(maxsize=32)
def _function(
    op: str, attrs: tuple[tuple[str, Hashable], ...], source: DType, target: DType
) -> np.ndarray:
    """Results for all numbers of a 16-bit type, by their bits."""
    bits = np.arange(65536, dtype=np.uint16)
    if source == DType.F16:
        x = bits.view(np.float16).astype(np.float32)
    else:
        x = (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    node = Node(op, (), (Value("y", x.shape, target),), dict(attrs))  # type: ignore[arg-type]
    return np.ascontiguousarray(_run_apart(node, x, source))


def _bf16_tables(node: Node) -> ImageKernel:
    """Two small tables, as one of all BF16 numbers."""
    source = node.activations[0]
    if source.dtype != DType.BF16 or len(node.activations) != 1:
        raise Unfit(f"tables for {source.dtype}")
    bits = np.arange(65536, dtype=np.uint32) << np.uint32(16)
    operands = [v.data if v is not None else None for v in node.inputs[1:]]
    table = np.ascontiguousarray(run_node(node, [bits.view(np.float32), *operands])[0])

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        _float_rows.look_up(table, kind_of(DType.BF16), sources[0], target, threads)

    return ImageKernel(run, (source,))


ELEMENTWISE: dict[str, Callable[[Node], ImageKernel]] = {
    **dict.fromkeys(_PAIRS, _pair),
    **dict.fromkeys(["AddConst", "SubConst", "MulConst", "Reciprocal"], _const),
    "MaxConst": _at_least,
    "MinConst": _at_most,
    "Scale": _scale,
    "PRelu": _prelu,
    "Relu": _relu,
    "Clip": _clip,
    "LutBF16": _bf16_tables,
    **dict.fromkeys(["Active", "LeakyRelu", "Pow"], _table),
}
