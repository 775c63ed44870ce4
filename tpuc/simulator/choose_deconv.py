"""C kernels of integer Deconv and the RequantIntAxis behind it."""

from __future__ import annotations

import numpy as np

from tpuc.ir import DType, Node, Value
from tpuc.kernels.deconv import pack_deconv, pack_requant_axis
from tpuc.kernels.image import is_bytes, zero_of
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.choose_elementwise import low_of
from tpuc.simulator.image_kernel import ImageKernel, pads_of, pair_of, rounding_of

__all__ = ["choose_deconv", "choose_requant_axis"]


def _constant(value: Value | None, what: str) -> np.ndarray:
    if value is None or value.data is None:
        raise Unfit(f"its {what} is computed")
    return value.data


def choose_deconv(node: Node) -> ImageKernel:
    """Deconv of bytes to int32.

    Raises
    ------
    Unfit : it is no such Deconv, or a sum may not fit
    """
    source, result = node.activations[0], node.output
    weights = _constant(node.inputs[1], "filter")
    if not is_bytes(source) or result.dtype != DType.SI32 or node.attrs.get("do_relu"):
        raise Unfit(f"from {source.dtype} {source.shape} to {result.dtype}")
    if weights.ndim != 4 or len(source.shape) != 4 or weights.dtype not in (np.int8, np.uint8):
        raise Unfit(f"its filter is {weights.dtype} {weights.shape}")
    bias = np.zeros(weights.shape[0], np.int64)
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        bias = _constant(node.inputs[2], "bias").reshape(-1).astype(np.int64)
    window = pair_of(node, "strides"), pair_of(node, "dilations"), pads_of(node)[:2]
    kernel = pack_deconv(weights, bias, window, node.integer("group"))
    return ImageKernel(lambda s, target, threads: kernel.run(s[0], target, threads), (source,))


def choose_requant_axis(node: Node) -> ImageKernel:
    """RequantIntAxis of int32 to bytes.

    Raises
    ------
    Unfit : it is no such op, or a word is out of range
    """
    source, result = node.activations[0], node.output
    words = _constant(node.inputs[1], "table").reshape(-1, 3)
    if source.dtype != DType.SI32 or not is_bytes(result) or len(words) != result.shape[1]:
        raise Unfit(f"from {source.dtype} {source.shape} to {result.dtype} {result.shape}")
    kernel = pack_requant_axis(words, zero_of(result), low_of(node), rounding_of(node))
    return ImageKernel(lambda s, target, threads: kernel.run(s[0], target, threads), (source,))
