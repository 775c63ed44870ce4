"""Normalization: over a layer, an instance, groups of channels, or by the root mean square."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tpuc.execute.registry import Tensor, kernel
from tpuc.ir import Node

__all__: list[str] = []


@kernel("LayerNorm")
def _layer_norm(
    node: Node, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    axis = node.integer("axis")
    shape = list(x.shape[axis:])
    weight = None if weight is None else weight.reshape(shape)
    bias = None if bias is None else bias.reshape(shape)
    return F.layer_norm(x, shape, weight, bias, node.number("eps"))


@kernel("RMSNorm")
def _rms_norm(node: Node, x: Tensor, gamma: Tensor | None = None) -> Tensor:
    mean = (x * x).mean(-1, keepdim=True)
    out = x * torch.rsqrt(mean + node.number("eps"))
    return out if gamma is None else out * gamma.reshape(-1)


def _flat(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.reshape(-1)


@kernel("InstanceNorm")
def _instance_norm(
    node: Node, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    return F.instance_norm(x, None, None, _flat(weight), _flat(bias), eps=node.number("eps"))


@kernel("GroupNorm")
def _group_norm(
    node: Node, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    groups = node.integer("num_groups")
    return F.group_norm(x.contiguous(), groups, _flat(weight), _flat(bias), node.number("eps"))
