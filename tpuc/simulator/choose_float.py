"""Which C kernel runs an op of float type, or a cast.

Products are added in float32 in the order of `kernels.float_order`; then the bias is added, and
the result is limited and rounded to the type once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import DType, Node
from tpuc.kernels import _float, _float_rows
from tpuc.kernels._float_functions import Pool
from tpuc.kernels._float_products import Conv, Depthwise
from tpuc.kernels._int8 import View
from tpuc.kernels.casts import dequantize_factor, quantize_factor, through_bf16
from tpuc.kernels.float_conv import FloatConvSpec, cast_end, end_of, pack_float_conv
from tpuc.kernels.float_order import conv_order
from tpuc.kernels.image import constant_image, geometry, is_bytes, is_floats, is_image
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.choose_attention import attention_kernel
from tpuc.simulator.choose_float8 import float8_cast, float8_kernel
from tpuc.simulator.choose_movement import choose_join, choose_move
from tpuc.simulator.float_along import ALONG
from tpuc.simulator.float_elementwise import ELEMENTWISE, copy_kernel, end_of_node, floats_of
from tpuc.simulator.float_matmul import matmul_kernel
from tpuc.simulator.image_kernel import ImageKernel, Run, pads_of, pair_of
from tpuc.simulator.movement import MOVES
from tpuc.simulator.weight_only import as_matmul

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
        return Skip("an operand is no float tensor of rank 2 to 6", (node.name,))
    try:
        return float8_kernel(node, make) if _rounds(node) else make(node)
    except Unfit as reason:
        return Skip(str(reason), (node.name,))


def _rounds(node: Node) -> bool:
    """Whether the result is rounded to 8 bits after the op."""
    return node.op != "Cast" and node.output.dtype.is_float8


def _single(kernel: Conv | Depthwise | Pool) -> Run:
    return lambda sources, target, threads: kernel.run(sources[0], target, threads)


def _bias(node: Node, channels: int) -> np.ndarray:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return np.zeros(channels, np.float32)
    return np.broadcast_to(floats_of(value, "bias").reshape(-1), (channels,))


def _conv(node: Node) -> ImageKernel:
    weights = floats_of(node.inputs[1], "filter")
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
        end_of_node(node),
        conv_order(source.shape[1], outputs, window, h * w, n, group),
        pair_of(node, "strides"),
        pads_of(node),
        pair_of(node, "dilations"),
        group,
    )
    kernel, need = pack_float_conv(spec)
    return ImageKernel(_single(kernel), (source,), need)


def _pool(node: Node) -> ImageKernel:
    source = node.activations[0]
    if len(source.shape) not in (3, 4):
        raise Unfit(f"an input of shape {source.shape}")
    kernel, strides, pads = pair_of(node, "kernel_shape"), pair_of(node, "strides"), pads_of(node)
    before, after = geometry(source.shape), geometry(node.output.shape)
    assert before is not None and after is not None
    sizes = [before[2] + pads[0] + pads[2], before[3] + pads[1] + pads[3]]
    if after[2:] != tuple((n - k) // s + 1 for n, k, s in zip(sizes, kernel, strides)):
        raise Unfit(f"a result of shape {node.output.shape}")
    maximum = node.attrs["pool_mode"] == "Max"
    exclude = not maximum and any(pads) and not node.attrs["count_include_pad"]
    pool = Pool(maximum, exclude, kernel, strides, pads[:2], end_of_node(node))
    return ImageKernel(_single(pool), (source,))


def _concat(node: Node) -> ImageKernel:
    """Channels side by side; a constant of one sample is that of all."""
    shape, end = node.output.shape, end_of_node(node)
    constants = [v for v in node.inputs if v is None or v.data is not None]
    if node.integer("axis") % len(shape) != 1 or (constants and shape[0] != 1):
        return choose_join(node)
    parts = [
        v if v.data is None else constant_image(floats_of(v, "operand"), len(shape))
        for v in node.inputs
        if v is not None
    ]
    starts = np.cumsum([0, *(v.shape[1] for v in parts)])

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        images = iter(sources)
        for part, first in zip(parts, starts):
            source = part if isinstance(part, View) else next(images)
            _float_rows.copy(end, source, target, int(first), threads)

    return ImageKernel(run, tuple(node.activations))


def _cast(node: Node) -> ImageKernel:
    """The arithmetic of `kernels.casts`."""
    source, target = node.activations[0], node.output
    short = through_bf16(node)
    if source.dtype.is_float8 or target.dtype.is_float8:
        return float8_cast(node)
    if source.dtype.is_float and target.dtype.is_float:
        return copy_kernel(node, cast_end(source.dtype, target.dtype, short))
    if is_bytes(source) and target.dtype.is_float:
        assert source.quant is not None
        scale = dequantize_factor(source.quant.scale, target.dtype, short)
        end = end_of(DType.BF16 if short else target.dtype)
        return _scaled(node, partial(_float_rows.from_bytes, scale), end)
    if source.dtype.is_float and is_bytes(target):
        assert target.quant is not None
        inverse = quantize_factor(target.quant.scale, source.dtype, short)
        return _scaled(node, partial(_float_rows.to_bytes, inverse, short), end_of(source.dtype))
    raise Unfit(f"a cast from {source.dtype} to {target.dtype}")


def _scaled(node: Node, function: Callable, end: _float.End) -> ImageKernel:
    def run(sources: Sequence[View], target: View, threads: int) -> None:
        function(end, sources[0], target, threads)

    return ImageKernel(run, (node.activations[0],))


_MAKERS: dict[str, Callable[[Node], ImageKernel]] = {
    "Attention": attention_kernel,
    "Cast": _cast,
    "Conv2D": _conv,
    "MatMul": matmul_kernel,
    "A16MatMul": lambda node: matmul_kernel(as_matmul(node)),
    "Pool2D": _pool,
    "Concat": _concat,
    **ALONG,
    **ELEMENTWISE,
    **dict.fromkeys(MOVES, choose_move),
}
