"""Functions of one tensor: tables, rectifiers, softmax."""

from __future__ import annotations

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.reference.registry import clip, finish, kernel
from tpuc.numerics.rounding import round_away, shift_half_up

__all__: list[str] = []


@kernel("Lut", stored=True)
def _lut(node: Node, x: np.ndarray, table: np.ndarray) -> np.ndarray:
    return np.asarray(table.reshape(-1)[x.view(np.uint8)])


@kernel("Relu")
def _relu(node: Node, x: np.ndarray) -> np.ndarray:
    return finish(node, np.maximum(x.astype(np.int64), 0))


@kernel("LeakyRelu")
def _leaky(node: Node, x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.int64)
    scaled = shift_half_up(wide * node.integer("multiplier"), node.integer("rshift"))
    if node.attrs.get("multiplier_neg") is None:
        return finish(node, np.where(x >= 0, wide, scaled))
    below = shift_half_up(wide * node.integer("multiplier_neg"), node.integer("rshift_neg"))
    return finish(node, np.where(x >= 0, scaled, below))


@kernel("PRelu")
def _prelu(node: Node, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    wide = x.astype(np.int64)
    scaled = shift_half_up(wide * slope.astype(np.int64), node.integer("rshift"))
    if node.attrs.get("multiplier_pos") is not None:
        wide = shift_half_up(wide * node.integer("multiplier_pos"), node.integer("rshift_pos"))
    return finish(node, np.where(x >= 0, wide, scaled))


@kernel("Active", stored=True)
def _abs(node: Node, x: np.ndarray) -> np.ndarray:
    if node.attrs["mode"] != "ABSVAL":
        raise NotImplementedError(f"{node}: {node.attrs['mode']} has no integer form")
    return clip(node, np.abs(x.astype(np.int64)))


@kernel("Softmax")
def _softmax(node: Node, x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Over channels, in float32: e[max - x] / (sum * s_out), summed in channel order."""
    wide = x.astype(np.int64)
    e = table.reshape(-1)[wide.max(axis=1, keepdims=True) - wide].astype(np.float32)
    total = np.zeros_like(e[:, :1])
    for channel in range(e.shape[1]):
        total[:, 0] += e[:, channel]
    assert node.output.quant is not None
    scaled = e / (total * np.float32(node.output.quant.scale))
    return finish(node, round_away(scaled).astype(np.int64))
