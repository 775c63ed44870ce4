"""C kernels of softmax, norms, sums and means of floats, by the steps of `float_exact`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.ir import DType, Node, Value
from tpuc.kernels._float_functions import Along
from tpuc.kernels._int8 import View
from tpuc.kernels.casts import round_to
from tpuc.kernels.image import geometry
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.float_elementwise import end_of_node, floats_of
from tpuc.simulator.image_kernel import ImageKernel

__all__ = ["ALONG"]


def _kernel(node: Node, along: Along) -> ImageKernel:
    def run(sources: Sequence[View], target: View, threads: int) -> None:
        along.run(sources[0], target, threads)

    return ImageKernel(run, (node.activations[0],))


def _softmax(node: Node) -> ImageKernel:
    rank = len(node.output.shape)
    axis = node.integer("axis") % rank
    if len(node.inputs) > 1:
        raise Unfit("exponentials from BF16 tables")
    if node.attrs["log"] or node.number("beta") != 1.0:
        raise Unfit("a logarithm or a factor")
    if axis not in (1, rank - 1):
        raise Unfit(f"axis {axis} of {node.output.shape}")
    kind = "softmax of channels" if axis == 1 else "softmax"
    return _kernel(node, Along(kind, end_of_node(node)))


def _vector(value: Value | None, size: int) -> np.ndarray | None:
    """A weight or bias by position."""
    if value is None:
        return None
    flat = floats_of(value, "weight").reshape(-1)
    if flat.size != size:
        raise Unfit(f"a weight of shape {value.shape}")
    return np.ascontiguousarray(flat)


def _norm(node: Node) -> ImageKernel:
    shape = node.output.shape
    rank, size = len(shape), shape[-1]
    axis = node.integer("axis") % rank if node.op == "LayerNorm" else rank - 1
    if rank < 3 or axis != rank - 1:
        raise Unfit(f"axis {axis} of {shape}")
    if node.output.dtype == DType.BF16:
        raise Unfit("bfloat16 rounds after every step")
    weight, bias = (_vector(v, size) for v in (*node.inputs[1:], None, None)[:2])
    kind = "layer norm" if node.op == "LayerNorm" else "rms norm"
    return _kernel(node, Along(kind, end_of_node(node), weight, bias, node.number("eps")))


def _reduce(node: Node) -> ImageKernel:
    """Sums and means over all that follows the channels, over the last axis, or, of rank 3, over
    the channels."""
    source, mode = node.activations[0], node.text("mode")
    rank, axes = len(source.shape), sorted(a % len(source.shape) for a in node.ints("axes"))
    whole, channels = axes == list(range(2, rank)), rank == 3 and axes == [1]
    if mode not in ("ReduceMean", "ReduceSum"):
        raise Unfit(f"{mode} has no C kernel")
    if rank < 3 or not (whole or channels or (axes == [rank - 1] and node.flag("keepdims"))):
        raise Unfit(f"axes {axes} of {source.shape}")
    before = geometry(source.shape)
    assert before is not None
    rows = before[2] if whole else 1
    size = before[1] if channels else rows * before[3]
    factor = np.array(1.0 / size if mode == "ReduceMean" else 1.0, np.float32)
    share = float(round_to(factor, node.output.dtype))
    kind = "sum of channels" if channels else "sum"
    return _kernel(node, Along(kind, end_of_node(node), rows=rows, factor=share))


ALONG: dict[str, Callable[[Node], ImageKernel]] = {
    "Softmax": _softmax,
    "LayerNorm": _norm,
    "RMSNorm": _norm,
    "Reduce": _reduce,
}
