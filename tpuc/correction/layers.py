"""Conv and MatMul as corrections see them: rows of weights, integer steps, and columns of inputs.

    y[o, p] = sum_i W[g, o, i] * X[g, i, p] + b[g, o]

g: group, o: output channel of it, i: weight of a channel, p: pixel of a sample.
"""

from __future__ import annotations

import numpy as np

from tpuc.correction.result import LayerNote
from tpuc.ir import Graph, Node

__all__ = ["channel_axis", "columns", "from_rows", "positions", "steps", "to_rows",
           "weighted_layers"]  # fmt: skip

_INTEGER = {"Conv": "Conv2D", "MatMul": "MatMul"}


def weighted_layers(graph: Graph, lowered: Graph) -> tuple[list[str], list[LayerNote]]:
    """Names of the layers with integer weights in program order, and why others are none."""
    twins = {n.name: n for n in lowered.nodes}
    found: list[str] = []
    skipped: list[LayerNote] = []
    for node in graph.nodes:
        if node.op in _INTEGER:
            reason = _no_layer(node, twins.get(node.name))
            if reason is None:
                found.append(node.name)
            else:
                skipped.append(LayerNote(node.name, 0.0, 0.0, reason))
    return found, skipped


def _no_layer(node: Node, twin: Node | None) -> str | None:
    filters = node.inputs[1]
    if filters is None or filters.data is None:
        return "its second operand is computed"
    if twin is None or twin.op != _INTEGER[node.op]:
        return "lowering fuses it with another op, or makes it another one"
    lowered = twin.inputs[1]
    assert lowered is not None
    if lowered.dtype.is_float or twin.output.quant is None:
        return f"its type is {twin.output.dtype.value.upper()}"
    if lowered.shape != filters.shape:
        return f"lowering makes its weights {lowered.shape} from {filters.shape}"
    return None


def channel_axis(node: Node) -> int:
    """Axis of the output channels in the result."""
    return 1 if node.op == "Conv" else -1


def steps(lowered: Node) -> np.ndarray:
    """What one step of an integer weight is worth: multiplier / 2**shift * s_out / s_in.

    float64 (O,), or (1,) where all channels share it.
    """
    many = "" if lowered.op == "Conv2D" else "s"
    multiplier = np.array(lowered.ints(f"multiplier{many}"), np.float64)
    shift = np.array(lowered.ints(f"rshift{many}"), np.float64)
    source = lowered.inputs[0]
    assert source is not None and source.quant is not None and lowered.output.quant is not None
    return multiplier * np.exp2(-shift) * lowered.output.quant.scale / source.quant.scale


def to_rows(node: Node, weight: np.ndarray) -> np.ndarray:
    """Weights as (G, O / G, I)."""
    if node.op == "Conv":
        group = node.integer("group")
        return weight.reshape(group, weight.shape[0] // group, -1)
    return (weight if node.flag("right_transpose") else weight.T)[None]


def from_rows(node: Node, rows: np.ndarray) -> np.ndarray:
    """Undo `to_rows`, contiguous."""
    weight = node.weight(1)
    if node.op == "Conv":
        return np.ascontiguousarray(rows.reshape(weight.shape))
    return np.ascontiguousarray(rows[0] if node.flag("right_transpose") else rows[0].T)


def positions(node: Node, samples: int) -> int:
    """How many pixels the result has over all samples."""
    shape = node.output.shape
    pixels = shape[0] * int(np.prod(shape[2:])) if node.op == "Conv" else _leading(shape)
    return pixels * samples // (shape[0] if shape else 1)


def _leading(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[:-1]))


def columns(node: Node, x: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Inputs of the chosen pixels: (G, I, P), of x's type.

    Parameters
    ----------
    x : array
        The layer's input.
    picks : int array (P,)
        Pixels of the result, sample by sample, row by row.
    """
    if node.op == "MatMul":
        turned = x.swapaxes(-1, -2) if node.flag("left_transpose") else x
        return np.ascontiguousarray(turned.reshape(-1, turned.shape[-1])[picks].T)[None]
    group = node.integer("group")
    taps = _taps(node, x, picks)
    return taps.reshape(group, -1, len(picks))


def _taps(node: Node, x: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """What each weight of a Conv meets: (C, kernel size, P)."""
    rank = x.ndim - 2
    kernel = node.ints("kernel_shape")
    strides = node.ints("strides", (1,) * rank)
    dilations = node.ints("dilations", (1,) * rank)
    pads = node.ints("pads", (0,) * (2 * rank))
    wide = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:])])
    sample, *place = np.unravel_index(picks, (len(x), *node.output.shape[2:]))
    taps = np.empty((x.shape[1], int(np.prod(kernel)), len(picks)), x.dtype)
    for index, offset in enumerate(np.ndindex(*kernel)):
        at = [p * s + o * d for p, s, o, d in zip(place, strides, offset, dilations)]
        taps[:, index] = wide.transpose(1, 0, *range(2, x.ndim))[(slice(None), sample, *at)]
    return taps
