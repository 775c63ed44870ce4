"""Cross-layer equalization: weight ranges of neighbouring layers become alike, channel by channel.

    y = W2 f(W1 x + b1) = (W2 S) f(S^-1 (W1 x + b1)),   f(s x) = s f(x) for s > 0
    S_i = sqrt(r1_i / r2_i),   r1_i = max |W1[i, ...]|,   r2_i = max |W2[..., i, ...]|

Both ranges become sqrt(r1_i r2_i). Chains (convolution, depthwise, convolution) are gone through
until nothing moves any more. Nagel et al. 2019, section 4.1; TPU-MLIR's `--we`.

A tensor that several ops read is left alone (Add branches), and so is one with an upper limit
(Relu6): a limit is one number for all channels and does not scale with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tpuc.correction.result import Corrected, LayerNote
from tpuc.ir import Graph, Node, Value

__all__ = ["equalize_weights"]

_SCALE_FREE = ("Relu", "LeakyRelu", "PRelu", "MaxPool", "AvgPool")
_LEAST = 1e-6
_ROUNDS = 100
_STILL = 1e-4


@dataclass
class _Pair:
    """Two layers, and what scales their shared channels so far (float64, one for each)."""

    first: Node
    second: Node
    scale: np.ndarray


def equalize_weights(graph: Graph) -> Corrected:
    """Equalize every pair of layers that nothing else reads between.

    Parameters
    ----------
    graph : Graph
        Dialect `top`; not changed.

    Returns
    -------
    Corrected
        Its float outputs are those of `graph` but for rounding.
    """
    result = graph.clone()
    weights = {n.name: n.weight(1).astype(np.float64) for n in result.nodes if _is_layer(n)}
    before = {name: array.copy() for name, array in weights.items()}
    pairs, notes = [], []
    for node in result.nodes:
        found = _next_layer(result, node)
        if isinstance(found, Node):
            pairs.append(_Pair(node, found, np.ones(_outputs(node))))
        elif found:
            notes.append(LayerNote(node.name, 0.0, 0.0, found))
    for _ in range(_ROUNDS):
        if sum(_even_out(pair, weights) for pair in pairs) < _STILL:
            break
    _store(result, pairs, weights)
    changed = dict.fromkeys(n.name for p in pairs for n in (p.first, p.second))
    notes += [_note(name, before[name], weights[name]) for name in changed]
    return Corrected(result, tuple(notes), 0.0, 0.0)


def _is_layer(node: Node) -> bool:
    if node.op != "Conv":
        return False
    return all(v is None or v.data is not None for v in node.inputs[1:])


def _outputs(node: Node) -> int:
    return int(node.weight(1).shape[0])


def _next_layer(graph: Graph, node: Node) -> Node | str | None:
    """The layer behind `node`, or why it has no partner; None if it is no layer itself."""
    if not _is_layer(node):
        return None
    for here, value in _behind(graph, node):
        limit = here.attrs.get("relu_limit", -1.0)
        if here.attrs.get("do_relu") and isinstance(limit, float) and limit > 0:
            return f"its limit of {limit:g} does not scale with channels"
        if len(value.users) != 1 or any(v is value for v in graph.outputs):
            return "several ops read its result" if value.users else None
        reader = value.users[0]
        if _is_layer(reader) and reader.inputs[0] is value:
            return reader
        if reader.op not in _SCALE_FREE or reader.inputs[0] is not value:
            return f"{reader.op} behind it does not scale with channels"
    return None


def _behind(graph: Graph, node: Node) -> Iterator[tuple[Node, Value]]:
    """The op and its result, then those that read it alone."""
    while True:
        yield node, node.output
        node = node.output.users[0]


def _by_input(node: Node, weights: np.ndarray) -> np.ndarray:
    """Weights as (C, numbers that read channel c)."""
    group = node.integer("group")
    per_group = weights.reshape(group, weights.shape[0] // group, weights.shape[1], -1)
    return per_group.transpose(0, 2, 1, 3).reshape(group * weights.shape[1], -1)


def _even_out(pair: _Pair, weights: dict[str, np.ndarray]) -> float:
    """Scale both layers; how much the weights moved."""
    one, two = weights[pair.first.name], weights[pair.second.name]
    r1 = np.abs(one).reshape(len(one), -1).max(axis=1)
    r2 = np.abs(_by_input(pair.second, two)).max(axis=1)
    alive = (r1 > _LEAST) & (r2 > _LEAST)
    s = np.sqrt(np.divide(r1, r2, out=np.ones_like(r1), where=alive))
    s = np.where(alive, s, 1.0)
    made_one = one / s.reshape(-1, *[1] * (one.ndim - 1))
    made_two = two * _per_weight(pair.second, two, s)
    weights[pair.first.name], weights[pair.second.name] = made_one, made_two
    pair.scale *= s
    return float(np.linalg.norm(made_one - one) + np.linalg.norm(made_two - two))


def _per_weight(node: Node, weights: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Factor of each weight of a layer whose input channels have the factors `s`."""
    group = node.integer("group")
    rows = np.repeat(s.reshape(group, 1, -1), weights.shape[0] // group, axis=1)
    return rows.reshape(*weights.shape[:2], *[1] * (weights.ndim - 2))


def _store(graph: Graph, pairs: list[_Pair], weights: dict[str, np.ndarray]) -> None:
    biases = {p.first.name: p.scale for p in pairs}
    for node in {n.name: n for p in pairs for n in (p.first, p.second)}.values():
        inputs = list(node.inputs)
        inputs[1] = _with_data(inputs[1], weights[node.name])
        if len(inputs) > 2 and inputs[2] is not None and node.name in biases:
            bias = inputs[2].data
            assert bias is not None
            scale = biases[node.name].reshape(bias.shape)
            inputs[2] = _with_data(inputs[2], bias.astype(np.float64) / scale)
        graph.set_inputs(node, inputs)


def _with_data(value: Value | None, data: np.ndarray) -> Value:
    assert value is not None
    return Value(value.name, value.shape, value.dtype, value.quant, data.astype(np.float32))


def _note(name: str, before: np.ndarray, after: np.ndarray) -> LayerNote:
    text = f"largest over median channel range {_spread(before):.3g} to {_spread(after):.3g}"
    return LayerNote(name, 0.0, 0.0, text)


def _spread(weights: np.ndarray) -> float:
    ranges = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    middle = float(np.median(ranges))
    return float(ranges.max()) / middle if middle > 0 else np.inf
