"""C kernels of ops whose result is an 8-bit float: those of float32, their result rounded after.

The scaling around them is that of `simulator.float8`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tpuc.ir import DType, Node, Value
from tpuc.kernels import _float, _float_rows
from tpuc.kernels._float_rows import Eight
from tpuc.kernels._int8 import View
from tpuc.kernels.casts import float8_step
from tpuc.kernels.float_conv import end_of
from tpuc.kernels.image import constant_image
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.float8 import in_halves, scales_of, steps_of
from tpuc.simulator.float_elementwise import operands_of
from tpuc.simulator.image_kernel import ImageKernel
from tpuc.simulator.movement import MOVES

__all__ = ["float8_cast", "float8_kernel"]

Make = Callable[[Node], ImageKernel]

_KINDS = {DType.F8E4M3: 0, DType.F8E5M2: 1}
_SUMS = {"Add": 7, "AddConst": 8, "Sub": 9, "SubConst": 9}


def float8_kernel(node: Node, make: Make) -> ImageKernel:
    """The kernel of an op with such a result; `make` is that of a float32 result.

    Raises
    ------
    Unfit : no kernel covers the op
    """
    if node.op in MOVES:
        return make(node)
    if scales_of(node):
        kernel = _scaled_sum(node)
    else:
        kernel = make(_wide(node))
    return _rounded(kernel, Eight(_KINDS[node.output.dtype], steps_of(node)))


def _wide(node: Node) -> Node:
    """The op with a float32 result."""
    outs = tuple(Value(v.name, v.shape, DType.F32) for v in node.outputs)
    return Node(node.op, node.inputs, outs, node.attrs)


def _rounded(kernel: ImageKernel, eight: Eight) -> ImageKernel:
    """`kernel`, whose result is then rounded in place."""

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        kernel.run(sources, target, threads)
        eight.run(target, threads)

    return replace(kernel, run=run, plan=None)


def _scaled_sum(node: Node) -> ImageKernel:
    """Add and Sub of F8E4M3 numbers, and of one and a constant."""
    operands, scales = operands_of(node), scales_of(node)
    if node.op.endswith("Const"):
        number = np.array(node.number("const_val"), np.float32)
        operands = [*operands, constant_image(number, len(node.output.shape))]
    if len(operands) != 2:
        raise Unfit(f"a sum of {len(operands)}")
    if node.attrs.get("is_reverse"):
        operands, scales = operands[::-1], scales[::-1]
    kind = _SUMS[node.op]
    limit = node.number("relu_limit")
    low, high = (0.0, limit if limit > 0 else np.inf) if node.flag("do_relu") else (-np.inf, np.inf)
    end = end_of(DType.F16 if in_halves(node) else DType.F32, low, high)

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        images = iter(sources)
        a, b = (next(images) if isinstance(v, Value) else v for v in operands)
        _float_rows.scaled_pair(kind, *scales, end, a, b, target, threads)

    return ImageKernel(run, tuple(v for v in operands if isinstance(v, Value)))


def float8_cast(node: Node) -> ImageKernel:
    """Between floats, one of them of 8 bits."""
    source, target = node.activations[0], node.output
    if source.dtype == DType.F8E4M3:
        assert source.quant is not None
        factor = np.array(np.float16(source.quant.scale), np.float32)
        kernel = _times(source, constant_image(factor, len(source.shape)), _end(target.dtype))
    else:
        kernel = _copied(source, _end(target.dtype))
    if not target.dtype.is_float8:
        return kernel
    steps = None if target.quant is None else np.array([float8_step(target.quant.scale)])
    return _rounded(kernel, Eight(_KINDS[target.dtype], steps))


def _end(dtype: DType) -> _float.End:
    return end_of(DType.F32 if dtype.is_float8 else dtype)


def _times(source: Value, factor: View, end: _float.End) -> ImageKernel:
    def run(sources: Sequence[View], target: View, threads: int) -> None:
        _float_rows.pair(2, end, sources[0], factor, target, threads)

    return ImageKernel(run, (source,))


def _copied(source: Value, end: _float.End) -> ImageKernel:
    def run(sources: Sequence[View], target: View, threads: int) -> None:
        _float_rows.copy(end, sources[0], target, 0, threads)

    return ImageKernel(run, (source,))
