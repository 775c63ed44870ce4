"""C kernels of integer matrix products."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.ir import Node, Value
from tpuc.kernels._int8 import View
from tpuc.kernels.conv import ConvSpec, pack_conv
from tpuc.kernels.image import Layout, Need, is_bytes, layout_of, zero_of
from tpuc.kernels.matmul import ProductSpec, products
from tpuc.kernels.requant_words import Unfit
from tpuc.kernels.strided import as_array, copying
from tpuc.simulator.image_kernel import ImageKernel, planned, rounding_of

__all__ = ["choose_matmul"]


def choose_matmul(node: Node) -> ImageKernel:
    """MatMul with a constant or computed right side.

    Raises
    ------
    Unfit : its left side is constant, or its shapes are odd
    """
    left, right = node.inputs[:2]
    if left is None or right is None or left.is_weight:
        raise Unfit("its left side is constant")
    if right.data is None or right.data.ndim != 2:
        return _computed(node, left, right)
    return _constant(node, left, right.data)


def _bias(node: Node, columns: int) -> np.ndarray | None:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return None
    if value.data is None or value.data.size not in (1, columns):
        raise Unfit("its bias is computed, or no row")
    return np.broadcast_to(value.data.reshape(-1).astype(np.int64), (columns,))


def _constant(node: Node, left: Value, right: np.ndarray) -> ImageKernel:
    """A product of rows of pixels: a convolution of 1 x 1 pictures."""
    right = right if node.attrs["right_transpose"] else right.T
    columns, terms = right.shape
    bias = _bias(node, columns)
    spec = ConvSpec(
        np.ascontiguousarray(right)[:, :, None, None],
        np.zeros(columns, np.int64) if bias is None else bias,
        np.full(columns, node.ints("multipliers")[0], np.int64),
        np.full(columns, node.ints("rshifts")[0], np.int64),
        zero_of(left),
        zero_of(node.output),
        relu=bool(node.attrs.get("do_relu")),
        rounding=rounding_of(node),
    )
    kernel, need = pack_conv(spec)
    flipped = bool(node.attrs["left_transpose"])
    if len(left.shape) == 2 and not flipped:
        return ImageKernel(lambda s, y, threads: kernel.run(s[0], y, threads), (left,), need)
    result = node.output

    def plan(sources: Sequence[View], target: View) -> Callable[[int], None]:
        x, y = as_array(sources[0], left.shape), as_array(target, result.shape)
        x = x.swapaxes(-1, -2) if flipped else x
        if x.shape[:-1] != y.shape[:-1] or y.shape[-1] != columns or x.shape[-1] != terms:
            raise Unfit(f"{left.shape} by {right.shape} gives {result.shape}")
        rows_in, dense_in = _rows(x.shape, spec.zero_in, need)
        rows_out, dense_out = _rows(y.shape, spec.zero_out, Need())
        before, after = copying(x, dense_in), copying(dense_out, y)
        assert before is not None and after is not None

        def run(threads: int) -> None:
            before.run(threads)
            kernel.run(rows_in, rows_out, threads)
            after.run(threads)

        return run

    _try(plan, [left], result)
    return planned(plan, (left,))


def _rows(shape: tuple[int, ...], zero: int, need: Need) -> tuple[View, np.ndarray]:
    """An image of rows of a tensor as pixels, and the same bytes as the tensor's axes."""
    count = int(np.prod(shape[:-1]))
    layout = Layout((count, shape[-1], 1, 1), need, zero)
    view = layout.view(np.empty(layout.size, np.uint8), 0)
    pixel = view.strides[0]
    strides = [pixel * int(np.prod(shape[i + 1 : -1])) for i in range(len(shape) - 1)]
    return view, np.ndarray(shape, np.uint8, view.memory, view.origin, (*strides, 1))


def _try(
    plan: Callable[[Sequence[View], View], object], inputs: Sequence[Value], result: Value
) -> None:
    """Plan once, on memory of no use: raises what there is to raise."""
    images = [_image(v) for v in (*inputs, result)]
    plan(images[:-1], images[-1])


def _image(value: Value) -> View:
    layout = layout_of(value, Need())
    view = layout.view(np.empty(layout.size, np.uint8), 0)
    if value.data is not None:
        view.load(np.ascontiguousarray(value.data).reshape(-1).view(np.uint8), 1)
    return view


def _computed(node: Node, left: Value, right: Value) -> ImageKernel:
    result, rank = node.output, len(node.output.shape)
    if _bias(node, result.shape[-1]) is not None:
        raise Unfit("it has a bias and a right side that changes")
    if not is_bytes(right) or len(left.shape) != rank or len(right.shape) != rank:
        raise Unfit(f"operands of shapes {left.shape} and {right.shape}")
    zeros = zero_of(left), zero_of(right), zero_of(result)
    if not {*zeros[:2]} <= {0, 128}:
        raise Unfit("both operands are computed, and one has a zero point")
    terms = left.shape[-2 if node.attrs["left_transpose"] else -1]
    relu = bool(node.attrs.get("do_relu"))
    spec = ProductSpec(node.ints("multipliers")[0], node.ints("rshifts")[0], zeros, terms, relu)
    fixed = None if right.data is None else _image(right)

    def plan(sources: Sequence[View], target: View) -> Callable[[int], None]:
        a = as_array(sources[0], left.shape)
        b = as_array(fixed if fixed is not None else sources[1], right.shape)
        a = a.swapaxes(-1, -2) if node.attrs["left_transpose"] else a
        b = b.swapaxes(-1, -2) if node.attrs["right_transpose"] else b
        y = as_array(target, result.shape)
        if a.shape[-1] != b.shape[-2] or (a.shape[-2], b.shape[-1]) != y.shape[-2:]:
            raise Unfit(f"{left.shape} by {right.shape} gives {result.shape}")
        return products(spec, a, b, y).run

    inputs = (left,) if fixed is not None else (left, right)
    _try(plan, inputs, result)
    return planned(plan, inputs)
