"""Float Conv2D, Deconv and MatMul on the exact, slow sums of `kernels.float_reference`."""

from __future__ import annotations

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.casts import round_to
from tpuc.kernels.float_reference import conv_in_order, deconv_in_order, matmul_in_order
from tpuc.simulator.float8 import finish_float8, limited_float8
from tpuc.simulator.float_exact import rounding_of
from tpuc.simulator.weight_only import as_matmul

__all__ = ["run_in_order"]


def run_in_order(node: Node, operands: list[np.ndarray | None]) -> np.ndarray | None:
    """The result in the order of TPU-MLIR's simulator; None for other ops and other ranks."""
    if node.op == "A16MatMul":
        node, operands = as_matmul(node), _of_matmul(node, operands)
    x, weight, bias = (*operands, None, None)[:3]
    if x is None or weight is None or not node.output.dtype.is_float:
        return None
    if node.op == "Conv2D" and x.ndim in (3, 4):
        total = _conv(node, x, weight, bias)
    elif node.op == "Deconv" and x.ndim == 4 and node.integer("group") == 1:
        height, width = node.output.shape[2:]
        total = deconv_in_order(x, weight, bias, _window(node), (height, width))
    elif node.op == "MatMul":
        left = x.swapaxes(-1, -2) if node.attrs["left_transpose"] else x
        right = weight.swapaxes(-1, -2) if node.attrs["right_transpose"] else weight
        total = matmul_in_order(left, right, bias)
    else:
        return None
    if node.output.dtype.is_float8:
        return finish_float8(node, limited_float8(node, total))
    if node.attrs.get("do_relu"):
        limit = node.number("relu_limit")
        total = np.clip(total, 0.0, limit if limit > 0 else None)
    return round_to(total, rounding_of(node))


def _of_matmul(node: Node, operands: list[np.ndarray | None]) -> list[np.ndarray | None]:
    return [operands[0], as_matmul(node).weight(1), *operands[4:]]


def _conv(node: Node, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    (strides, pads, dilations), group = _window(node), node.integer("group")
    if x.ndim == 4:
        return conv_in_order(x, weight, bias, (strides, pads, dilations), group)
    window = (1, strides[0]), (0, pads[0], 0, pads[1]), (1, dilations[0])
    return conv_in_order(x[:, :, None], weight[:, :, None], bias, window, group)[:, :, 0]


def _window(node: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Strides, pads, dilations."""
    return node.ints("strides"), node.ints("pads"), node.ints("dilations", ()) or (1, 1)
