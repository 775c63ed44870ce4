"""Convolutions, matrix products and pooling."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tpuc.execute.registry import Tensor, kernel
from tpuc.ir import Node

__all__: list[str] = []


def _split_pads(node: Node) -> tuple[list[int], list[int]]:
    pads = list(node.ints("pads"))
    half = len(pads) // 2
    return pads[:half], pads[half:]


def _pad_asymmetric(node: Node, x: Tensor, value: float = 0.0) -> tuple[Tensor, list[int]]:
    """Pad what torch's own symmetric padding can not express; return what it still has to do."""
    begins, ends = _split_pads(node)
    if begins == ends:
        return x, begins
    flat = [p for pair in zip(reversed(begins), reversed(ends)) for p in pair]
    return F.pad(x, flat, value=value), [0] * len(begins)


def _numbers(node: Node, key: str, rank: int) -> list[int]:
    return [int(v) for v in node.attrs.get(key) or (1,) * rank]  # type: ignore[union-attr]


@kernel("Conv")
def _conv(node: Node, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    rank = x.dim() - 2
    x, pads = _pad_asymmetric(node, x)
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    strides, dilations = _numbers(node, "strides", rank), _numbers(node, "dilations", rank)
    return function(x, w, b, strides, pads, dilations, node.integer("group"))


@kernel("Deconv")
def _deconv(node: Node, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    rank, group = x.dim() - 2, node.integer("group")
    per = w.reshape(group, w.shape[0] // group, *w.shape[1:]).transpose(1, 2)
    turned = per.reshape(-1, w.shape[0] // group, *w.shape[2:])
    function = {1: F.conv_transpose1d, 2: F.conv_transpose2d}[rank]
    begins, ends = _split_pads(node)
    extra = [int(v) for v in node.attrs.get("output_padding") or (0,) * rank]  # type: ignore[union-attr]
    strides, dilations = _numbers(node, "strides", rank), _numbers(node, "dilations", rank)
    full = function(x, turned, None, strides, 0, 0, group, dilations)
    grow = [e - p for e, p in zip(extra, ends)]  # behind: add output_padding, cut the pad
    flat = [v for pair in zip([-b for b in reversed(begins)], reversed(grow)) for v in pair]
    out = F.pad(full, flat)
    return out if b is None else out + b.reshape(1, -1, *([1] * rank))


@kernel("MatMul")
def _matmul(node: Node, x: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    x = x.transpose(-1, -2) if node.attrs["left_transpose"] else x
    right = right.transpose(-1, -2) if node.attrs["right_transpose"] else right
    out = x @ right
    return out if bias is None else out + bias


@kernel("MaxPool")
def _max_pool(node: Node, x: Tensor) -> Tensor:
    rank = x.dim() - 2
    kernel = list(node.ints("kernel_shape"))
    x, pads = _pad_asymmetric(node, x, float("-inf"))
    if any(2 * p > k for p, k in zip(pads, kernel)):  # torch refuses; pad by hand
        flat = [p for p in reversed(pads) for _ in (0, 1)]
        x, pads = F.pad(x, flat, value=float("-inf")), [0] * rank
    function = {1: F.max_pool1d, 2: F.max_pool2d}[rank]
    out = function(x, kernel, _numbers(node, "strides", rank), pads)
    return out if node.attrs["keepdims"] else out.flatten(1)


def _sums(x: Tensor, kernel: list[int], strides: list[int]) -> Tensor:
    """Sum of each window, for one or two spatial dimensions."""
    if x.dim() == 3:
        return _sums(x[:, :, None], [1, *kernel], [1, *strides])[:, :, 0]
    return F.avg_pool2d(x, kernel, strides, divisor_override=1)


@kernel("AvgPool")
def _avg_pool(node: Node, x: Tensor) -> Tensor:
    rank = x.dim() - 2
    kernel = list(node.ints("kernel_shape"))
    strides = _numbers(node, "strides", rank)
    begins, ends = _split_pads(node)
    function = {1: F.avg_pool1d, 2: F.avg_pool2d}[rank]
    flat = [p for pair in zip(reversed(begins), reversed(ends)) for p in pair]
    padded = F.pad(x, flat) if any(flat) else x
    if any(flat) and not node.attrs["count_include_pad"]:
        out = _sums(padded, kernel, strides) / _sums(
            F.pad(torch.ones_like(x[:1, :1]), flat), kernel, strides
        )
    else:
        out = function(padded, kernel, strides)
    return out if node.attrs["keepdims"] else out.flatten(1)
