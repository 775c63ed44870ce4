"""C kernels of 4-bit results: those of 8 bits, cut once more; and sums of a Conv in int32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import DType, Node
from tpuc.kernels import _int8
from tpuc.kernels._int8 import View
from tpuc.kernels.deconv import pack_deconv
from tpuc.kernels.image import bias_of, is_bytes
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.image_kernel import ImageKernel, pads_of, pair_of
from tpuc.simulator.movement import MOVES

__all__ = ["conv_sums_kernel", "cut_to_four_bits"]


def cut_to_four_bits(node: Node, kernel: ImageKernel | Skip) -> ImageKernel | Skip:
    """The kernel, followed by the limits of its 4-bit result; others as they are.

    Whatever is cut at 8 bits and then at 4 might as well have been cut at 4 at once.
    """
    if isinstance(kernel, Skip) or node.output.dtype.bits != 4 or node.op in MOVES:
        return kernel
    low, high = node.output.dtype.qrange
    bias = bias_of(node.output)
    table = _int8.Table(np.arange(256).clip(low + bias, high + bias).astype(np.uint8))

    def plan(sources: Sequence[View], target: View) -> Callable[[int], None]:
        first = kernel.on(sources, target)

        def run(threads: int) -> None:
            first(threads)
            table.run(target, target, threads)

        return run

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        plan(sources, target)(threads)

    return ImageKernel(run, kernel.inputs, kernel.need, plan)


def conv_sums_kernel(node: Node) -> ImageKernel:
    """A Conv2D to int32: with steps of 1 it is the Deconv of its filter turned round.

    Raises
    ------
    Unfit : it has larger steps, or a sum may not fit
    """
    source, filters = node.activations[0], node.inputs[1]
    if filters is None or filters.data is None or filters.data.ndim != 4 or not is_bytes(source):
        raise Unfit(f"from {source.dtype} {source.shape}")
    if pair_of(node, "strides") != (1, 1) or node.output.dtype != DType.SI32:
        raise Unfit(f"steps of {pair_of(node, 'strides')}, to int32")
    weights = filters.data[:, :, ::-1, ::-1]
    dilations, pads = pair_of(node, "dilations"), pads_of(node)
    kernel = pair_of(node, "kernel_shape")
    reach = tuple(d * (k - 1) for d, k in zip(dilations, kernel))
    origin = reach[0] - pads[0], reach[1] - pads[1]
    value = node.inputs[2] if len(node.inputs) > 2 else None
    bias = np.zeros(len(weights), np.int64)
    if value is not None and value.data is not None:
        bias = value.data.reshape(-1).astype(np.int64)
    window = (1, 1), dilations, origin
    made = pack_deconv(np.ascontiguousarray(weights), bias, window, node.integer("group"))
    return ImageKernel(lambda s, target, threads: made.run(s[0], target, threads), (source,))
