"""Which C kernel runs an op of float type, or a cast.

Products are added in float32 in the order of `kernels.float_order`; then the bias is added, and
the result is limited and rounded to the type once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import DType, Node, Value
from tpuc.kernels import _float
from tpuc.kernels._int8 import View
from tpuc.kernels.casts import round_to
from tpuc.kernels.float_conv import FloatConvSpec, end_of, pack_float_conv
from tpuc.kernels.float_order import conv_order, matmul_order
from tpuc.kernels.image import geometry, is_bytes, is_floats, is_image
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.image_kernel import ImageKernel, Run, pads_of, pair_of

__all__ = ["choose_float"]


def choose_float(node: Node) -> ImageKernel | Skip:
    """The kernel of an op, packed."""
    make = _MAKERS.get(node.op)
    if make is None:
        return Skip(f"{node.op} of floats has no C kernel", (node.name,))
    holds = is_image if node.op == "Cast" else is_floats
    if not holds(node.output):
        return Skip(f"its result is {node.output.dtype} {node.output.shape}", (node.name,))
    if not node.activations or not all(holds(v) for v in node.activations):
        return Skip("an operand is no float tensor of rank 2 to 4", (node.name,))
    try:
        return make(node)
    except Unfit as reason:
        return Skip(str(reason), (node.name,))


def _end(node: Node) -> _float.End:
    """Fused relu and rounding of a result."""
    if not node.attrs.get("do_relu"):
        return end_of(node.output.dtype)
    limit = node.number("relu_limit")
    return end_of(node.output.dtype, 0.0, limit if limit > 0 else np.inf)


def _single(kernel: _float.Conv | _float.Depthwise | _float.Pool) -> Run:
    return lambda sources, target, threads: kernel.run(sources[0], target, threads)


def _floats(value: Value | None, what: str) -> np.ndarray:
    if value is None or value.data is None:
        raise Unfit(f"its {what} is computed")
    return np.asarray(value.data, np.float32)


def _bias(node: Node, channels: int) -> np.ndarray:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return np.zeros(channels, np.float32)
    return np.broadcast_to(_floats(value, "bias").reshape(-1), (channels,))


def _conv(node: Node) -> ImageKernel:
    weights = _floats(node.inputs[1], "filter")
    if weights.ndim not in (3, 4):
        raise Unfit(f"its filter is {weights.shape}")
    weights = weights if weights.ndim == 4 else weights[:, :, None]
    source, group, result = node.activations[0], node.integer("group"), geometry(node.output.shape)
    assert result is not None
    n, outputs, h, w = result
    window = weights.shape[2], weights.shape[3]
    spec = FloatConvSpec(
        weights,
        _bias(node, outputs),
        _end(node),
        conv_order(source.shape[1], outputs, window, h * w, n, group),
        pair_of(node, "strides"),
        pads_of(node),
        pair_of(node, "dilations"),
        group,
    )
    kernel, need = pack_float_conv(spec)
    return ImageKernel(_single(kernel), (source,), need)


def _matmul(node: Node) -> ImageKernel:
    source = node.activations[0]
    right = _floats(node.inputs[1], "right side")
    if len(source.shape) != 2 or right.ndim != 2 or node.attrs["left_transpose"]:
        raise Unfit("only (M, K) times a constant (K, N) has a C kernel")
    filters = (right if node.attrs["right_transpose"] else right.T)[:, :, None, None]
    outputs, terms = filters.shape[:2]
    spec = FloatConvSpec(filters, _bias(node, outputs), _end(node), matmul_order(terms))
    kernel, need = pack_float_conv(spec)
    return ImageKernel(_single(kernel), (source,), need)


_PAIRS = {"Add": 0, "Sub": 1, "Mul": 2, "Div": 3, "Max": 4, "Min": 5}


def _constant(value: Value, rank: int) -> _float.FloatView:
    """A constant operand as an image; missing dimensions in front are 1."""
    data = np.asarray(value.data, np.float32)
    shape = geometry((1,) * (rank - data.ndim) + data.shape)
    if shape is None:
        raise Unfit(f"a constant of shape {data.shape}")
    n, c, h, w = shape
    packed = np.ascontiguousarray(data.reshape(shape).transpose(0, 2, 3, 1))
    strides = tuple(4 * s for s in (h * w * c, w * c, c))
    flat = packed.reshape(-1).view(np.uint8).copy()
    return _float.FloatView(flat, 0, (n, c, h, w), strides, (0, 0, 0, 0), 0)


def _operands(node: Node) -> list[Value | _float.FloatView]:
    """Images and constants, each of the result's rank and repeatable to its shape."""
    rank = len(node.output.shape)
    found: list[Value | _float.FloatView] = []
    for value in node.inputs:
        if value is None:
            raise Unfit("an operand is missing")
        shape = (1,) * (rank - len(value.shape)) + value.shape
        fits = len(shape) == rank and all(s in (1, o) for s, o in zip(shape, node.output.shape))
        if not fits or (value.data is None and len(value.shape) != rank):
            raise Unfit(f"operands of shapes {[v.shape for v in node.inputs if v is not None]}")
        found.append(value if value.data is None else _constant(value, rank))
    return found


def _pair(node: Node) -> ImageKernel:
    operands = _operands(node)
    if len(operands) < 2 or any(float(c) != 1.0 for c in node.attrs.get("coeff") or ()):  # type: ignore[union-attr]
        raise Unfit("one operand, or operands with factors")
    if node.attrs.get("is_reverse"):
        operands = operands[::-1]
    kind, end, exact = _PAIRS[node.op], _end(node), end_of(DType.F32)
    inputs = tuple(v for v in operands if isinstance(v, Value))

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        images = iter(sources)
        views = [next(images) if isinstance(v, Value) else v for v in operands]
        left = views[0]
        for index, right in enumerate(views[1:], 2):
            last = index == len(views)
            _float.pair(kind, end if last else exact, left, right, target, threads)
            left = target

    return ImageKernel(run, inputs)


def _copy(node: Node, end: _float.End) -> ImageKernel:
    def run(sources: Sequence[View], target: View, threads: int) -> None:
        _float.copy(end, sources[0], target, 0, threads)

    return ImageKernel(run, (node.activations[0],))


def _relu(node: Node) -> ImageKernel:
    limit = node.number("relu_limit")
    return _copy(node, end_of(node.output.dtype, 0.0, limit if limit > 0 else np.inf))


def _clip(node: Node) -> ImageKernel:
    return _copy(node, end_of(node.output.dtype, node.number("min"), node.number("max")))


def _pool(node: Node) -> ImageKernel:
    source = node.activations[0]
    if len(source.shape) == 2:
        raise Unfit(f"an input of shape {source.shape}")
    kernel, strides, pads = pair_of(node, "kernel_shape"), pair_of(node, "strides"), pads_of(node)
    before, after = geometry(source.shape), geometry(node.output.shape)
    assert before is not None and after is not None
    sizes = [before[2] + pads[0] + pads[2], before[3] + pads[1] + pads[3]]
    if after[2:] != tuple((n - k) // s + 1 for n, k, s in zip(sizes, kernel, strides)):
        raise Unfit(f"a result of shape {node.output.shape}")
    maximum = node.attrs["pool_mode"] == "Max"
    exclude = not maximum and any(pads) and not node.attrs["count_include_pad"]
    pool = _float.Pool(maximum, exclude, kernel, strides, pads[:2], _end(node))
    return ImageKernel(_single(pool), (source,))


def _concat(node: Node) -> ImageKernel:
    rank = len(node.output.shape)
    if node.integer("axis") % rank != 1 or len(node.activations) != len(node.inputs):
        raise Unfit("only channels of computed operands are joined by a C kernel")
    inputs, end = tuple(node.activations), _end(node)
    starts = np.cumsum([0, *(v.shape[1] for v in inputs)])

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        for source, first in zip(sources, starts):
            _float.copy(end, source, target, int(first), threads)

    return ImageKernel(run, inputs)


def _cast(node: Node) -> ImageKernel:
    """The arithmetic of `kernels.casts`."""
    source, target = node.activations[0], node.output
    if source.dtype.is_float and target.dtype.is_float:
        return _copy(node, end_of(target.dtype))
    if is_bytes(source) and target.dtype.is_float:
        assert source.quant is not None
        scale = float(round_to(np.array(source.quant.scale, np.float32), target.dtype))
        return _scaled(node, _float.from_bytes, scale, end_of(target.dtype))
    if source.dtype.is_float and is_bytes(target):
        assert target.quant is not None
        inverse = float(round_to(np.array(1.0 / target.quant.scale, np.float32), source.dtype))
        return _scaled(node, _float.to_bytes, inverse, end_of(source.dtype))
    raise Unfit(f"a cast from {source.dtype} to {target.dtype}")


def _scaled(node: Node, function: Callable, factor: float, end: _float.End) -> ImageKernel:
    def run(sources: Sequence[View], target: View, threads: int) -> None:
        function(factor, end, sources[0], target, threads)

    return ImageKernel(run, (node.activations[0],))


_MAKERS: dict[str, Callable[[Node], ImageKernel]] = {
    "Cast": _cast,
    "Conv2D": _conv,
    "MatMul": _matmul,
    **dict.fromkeys(_PAIRS, _pair),
    "Relu": _relu,
    "Clip": _clip,
    "Pool2D": _pool,
    "Concat": _concat,
}
