"""Which C kernel runs an op of Graph[tpu].

`choose` returns the packed kernel, or a Skip with the reason why the reference runs the op instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import DType, Node
from tpuc.kernels import _int8
from tpuc.kernels.conv import ConvSpec, pack_conv
from tpuc.kernels.depthwise import is_depthwise, pack_depthwise
from tpuc.kernels.image import bias_of, geometry, is_bytes, zero_of
from tpuc.kernels.requant_words import Unfit, normal_shift
from tpuc.simulator.choose_deconv import choose_deconv, choose_requant_axis
from tpuc.simulator.choose_elementwise import PAIRS, low_of
from tpuc.simulator.choose_float import choose_float
from tpuc.simulator.choose_four_bits import conv_sums_kernel, cut_to_four_bits
from tpuc.simulator.choose_matmul import choose_matmul
from tpuc.simulator.choose_movement import choose_join, choose_move
from tpuc.simulator.image_kernel import ImageKernel, Run, pads_of, pair_of, rounding_of
from tpuc.simulator.interpreter import run_node
from tpuc.simulator.movement import MOVES
from tpuc.simulator.plain import PlainKernel, choose_plain

__all__ = ["ImageKernel", "choose"]


def choose(node: Node) -> ImageKernel | PlainKernel | Skip:
    """The kernel of an op, packed."""
    chosen = _image_kernel(node)
    if isinstance(chosen, Skip):
        try:
            return choose_plain(node) or chosen
        except Unfit as reason:
            return Skip(str(reason), (node.name,))
    return chosen


def _image_kernel(node: Node) -> ImageKernel | Skip:
    if node.op == "Cast" or (len(node.outputs) == 1 and node.output.dtype.is_float):
        return cut_to_four_bits(node, choose_float(node))
    make = _MAKERS.get(node.op)
    if make is None:
        return Skip(f"{node.op} has no C kernel", (node.name,))
    words = node.op in ("Deconv", "RequantIntAxis", "Conv2D")  # int32 on one side
    if len(node.outputs) != 1 or not (words or is_bytes(node.output)):
        return Skip(f"its result is {node.output.dtype} {node.output.shape}", (node.name,))
    if not node.activations or not all(words or is_bytes(v) for v in node.activations):
        return Skip("an operand is not an 8-bit tensor of rank 2 to 6", (node.name,))
    try:
        return cut_to_four_bits(node, make(node))
    except Unfit as reason:
        return Skip(str(reason), (node.name,))


def _single(
    kernel: _int8.Conv | _int8.Depthwise | _int8.Table | _int8.Pool | _int8.Scale | _int8.Softmax,
) -> Run:
    return lambda sources, target, threads: kernel.run(sources[0], target, threads)


def _weights(node: Node) -> np.ndarray:
    value = node.inputs[1]
    if value is None or value.data is None:
        raise Unfit("its filter is computed")
    if value.data.dtype not in (np.int8, np.uint8):
        raise Unfit(f"its filter is {value.data.dtype}")
    return value.data


def _bias(node: Node, channels: int) -> np.ndarray:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return np.zeros(channels, np.int64)
    if value.data is None:
        raise Unfit("its bias is computed")
    return np.broadcast_to(value.data.reshape(-1).astype(np.int64), (channels,))


def _conv(node: Node) -> ImageKernel:
    if node.output.dtype == DType.SI32:
        return conv_sums_kernel(node)
    weights = _weights(node)
    if weights.ndim not in (3, 4):
        raise Unfit(f"its filter is {weights.shape}")
    if weights.ndim == 3:
        weights = weights[:, :, None]
    spec = ConvSpec(
        weights,
        _bias(node, weights.shape[0]),
        np.array(node.attrs["multiplier"], np.int64),
        np.array(node.attrs["rshift"], np.int64),
        zero_of(node.activations[0]),
        zero_of(node.output),
        pair_of(node, "strides"),
        pads_of(node),
        pair_of(node, "dilations"),
        node.integer("group"),
        bool(node.attrs.get("do_relu")),
        rounding_of(node),
    )
    kernel, need = (pack_depthwise if is_depthwise(spec) else pack_conv)(spec)
    return ImageKernel(_single(kernel), (node.activations[0],), need)


def _unary(node: Node) -> ImageKernel:
    """Any op that maps one 8-bit number to another: its reference, run on all 256 of them."""
    source = node.inputs[0]
    if source is None or len(node.activations) != 1 or source is not node.activations[0]:
        raise Unfit("more than one computed operand")
    numbers = np.arange(256) - bias_of(source)
    operands = [v.data if v is not None else None for v in node.inputs[1:]]
    result = run_node(node, [numbers.astype(source.dtype.numpy), *operands])[0]
    table = (result.astype(np.int64) + bias_of(node.output)).astype(np.uint8)
    return ImageKernel(_single(_int8.Table(table)), (source,))


def _softmax(node: Node) -> ImageKernel:
    source, result = node.activations[0], node.output
    table = node.weight(1).reshape(-1)
    if node.integer("axis") % len(source.shape) != 1 or table.shape != (256,):
        raise Unfit(f"softmax along axis {node.integer('axis')} of {len(source.shape)}")
    assert result.quant is not None
    scale = float(np.float32(result.quant.scale))
    kernel = _int8.Softmax(np.ascontiguousarray(table, np.float32), scale, low_of(node))
    return ImageKernel(_single(kernel), (source,))


def _scale(node: Node) -> ImageKernel:
    source, result = node.activations[0], node.output
    words = np.stack([node.weight(i).reshape(-1).astype(np.int32) for i in (1, 2, 3)])
    words[2] *= -1  # the shifts are stored as left shifts
    if words.shape[1] != source.shape[1] or words[2].min() < 0 or words[2].max() > 31:
        raise Unfit(f"words of shape {words.shape}, shifts up to {words[2].max()}")
    least, most = (-32768, 32767) if result.dtype.is_signed else (0, 65535)
    kernel = _int8.Scale(np.ascontiguousarray(words), least, most, low_of(node))
    return ImageKernel(_single(kernel), (source,))


def _pool(node: Node) -> ImageKernel:
    source = node.activations[0]
    if len(source.shape) not in (3, 4):
        raise Unfit(f"an input of shape {source.shape}")
    before, after = geometry(source.shape), geometry(node.output.shape)
    assert before is not None and after is not None
    maximum = node.attrs["pool_mode"] == "Max"
    kernel, strides, pads = pair_of(node, "kernel_shape"), pair_of(node, "strides"), pads_of(node)
    factor = np.array([[1], [0]], np.int64)
    affine = None
    if not maximum and node.attrs.get("scale") is not None:
        affine = node.number("scale"), node.number("offset")
    if not maximum and affine is None:
        factor = np.array([[node.attrs["multiplier"]], [node.attrs["rshift"]]], np.int64)
    if not maximum:
        if any(p >= k for p, k in zip(pads, (*kernel, *kernel))):
            raise Unfit("a window may lie outside the picture")
        if kernel[0] * kernel[1] > 2**22:
            raise Unfit(f"a window of {kernel}")
    m, s = normal_shift(factor[0], factor[1])
    if abs(int(m[0])) * kernel[0] * kernel[1] * 255 / 2.0 ** int(s[0]) >= 2.0**31 - 256:
        raise Unfit("a result beyond int32")
    exclude = int(not node.attrs["count_include_pad"] and any(pads) and not maximum)
    exclude *= 2 if node.attrs.get("round_mode") == "HalfUp" else 1
    pool = _int8.Pool(
        maximum, exclude, kernel, strides, pads[:2], (int(m[0]), int(s[0])), low_of(node), affine
    )
    return ImageKernel(_single(pool), (source,))


def _concat(node: Node) -> ImageKernel:
    rank = len(node.output.shape)
    if node.integer("axis") % rank != 1 or len(node.activations) != len(node.inputs):
        return choose_join(node)
    inputs = tuple(node.activations)
    starts = np.cumsum([0, *(v.shape[1] for v in inputs)])
    low = low_of(node)

    def run(sources: Sequence[_int8.View], target: _int8.View, threads: int) -> None:
        for source, first in zip(sources, starts):
            _int8.copy_channels(source, target, int(first), low, threads)

    return ImageKernel(run, inputs)


_MAKERS: dict[str, Callable[[Node], ImageKernel]] = {
    "Conv2D": _conv,
    "MatMul": choose_matmul,
    **PAIRS,
    **dict.fromkeys(
        [
            "Lut",
            "MulShift",
            "RequantFp",
            "RequantInt",
            "AddConst",
            "SubConst",
            "MaxConst",
            "MinConst",
            "Relu",
            "LeakyRelu",
            "Active",
        ],
        _unary,
    ),
    "Deconv": choose_deconv,
    "RequantIntAxis": choose_requant_axis,
    "Pool2D": _pool,
    "Scale": _scale,
    "Softmax": _softmax,
    "Concat": _concat,
    **dict.fromkeys(MOVES, choose_move),
}
