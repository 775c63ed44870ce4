"""C kernels of float matrix products.

(M, K) x constant (K, N):           a convolution of 1 x 1 pictures
(B, M, K) x (K, N) or (B, K, N):    M lies along the channels of the images: one column at a time
(B, C, M, K) x constant (K, N):     the same, row by row
(B, C, M, K) x (B, C, K, N):        channel by channel
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpuc.ir import Node, Value
from tpuc.kernels._float_products import Product
from tpuc.kernels._int8 import View
from tpuc.kernels.float_conv import FloatConvSpec, pack_float_conv
from tpuc.kernels.float_order import matmul_order
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.float_elementwise import end_of_node, floats_of
from tpuc.simulator.image_kernel import ImageKernel

__all__ = ["matmul_kernel"]


def matmul_kernel(node: Node) -> ImageKernel:
    """The kernel of a MatMul.

    Raises
    ------
    Unfit : no kernel covers the shapes
    """
    left, right = node.inputs[:2]
    if left is None or right is None or left.data is not None:
        raise Unfit("its left side is constant")
    if len(left.shape) == 2 and right.data is not None:
        return _of_vectors(node, left)
    if len(left.shape) not in (3, 4) or len(node.output.shape) != len(left.shape):
        raise Unfit(f"operands of shapes {left.shape} and {right.shape}")
    return _of_images(node, left, right)


def _bias(node: Node, columns: int) -> np.ndarray:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None:
        return np.zeros(columns, np.float32)
    flat = floats_of(value, "bias").reshape(-1)
    if flat.size not in (1, columns):
        raise Unfit(f"a bias of shape {value.shape}")
    return np.ascontiguousarray(np.broadcast_to(flat, (columns,)))


def _constant(node: Node) -> np.ndarray:
    """The constant right side, (N, K)."""
    right = floats_of(node.inputs[1], "right side")
    if right.size != right.shape[-1] * right.shape[-2]:
        raise Unfit(f"a constant right side of shape {right.shape}")
    right = right.reshape(right.shape[-2:])
    return right if node.attrs["right_transpose"] else np.ascontiguousarray(right.T)


def _of_vectors(node: Node, left: Value) -> ImageKernel:
    if node.attrs["left_transpose"]:
        raise Unfit("its left side is transposed")
    filters = _constant(node)[:, :, None, None]
    outputs, terms = filters.shape[:2]
    bias = _bias(node, outputs)
    spec = FloatConvSpec(filters, bias, end_of_node(node), matmul_order(terms))
    kernel, need = pack_float_conv(spec)

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        kernel.run(sources[0], target, threads)

    return ImageKernel(run, (left,), need)


def _of_images(node: Node, left: Value, right: Value) -> ImageKernel:
    rank, turned = len(left.shape), bool(node.attrs["left_transpose"])
    constant = _constant(node).reshape(-1) if right.data is not None else None
    by_channel = constant is None and rank == 4
    if constant is None and (len(right.shape) != rank or left.shape[:-2] != right.shape[:-2]):
        raise Unfit(f"operands of shapes {left.shape} and {right.shape}")
    if turned and not by_channel:
        raise Unfit("its left side is transposed")
    bias = _bias(node, node.output.shape[-1])
    if by_channel and bias.any():
        raise Unfit("a product of computed matrices with a bias")
    terms = left.shape[-2 if turned else -1]
    fields = {
        "by_channel": by_channel,
        "transposes": (turned, bool(node.attrs["right_transpose"])),
        "end": end_of_node(node),
    }
    chunks = np.cumsum(matmul_order(terms).chunks).astype(np.int32)
    product = Product(fields, chunks, bias, constant)

    def run(sources: Sequence[View], target: View, threads: int) -> None:
        product.run(sources[0], sources[-1], target, threads)

    return ImageKernel(run, (left,) if constant is not None else (left, right))
