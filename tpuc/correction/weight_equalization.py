"""Cross-layer equalization: weight ranges of neighbouring layers become alike, channel by channel.

    y = W2 f(W1 x + b1) = (W2 S) f(S^-1 (W1 x + b1)),   f(s x) = s f(x) for s > 0
    S_i = sqrt(r1_i / r2_i),   r1_i = max |W1[i, ...]|,   r2_i = max |W2[..., i, ...]|

Both ranges become sqrt(r1_i r2_i). Chains (convolution, depthwise, convolution) are gone through
until nothing moves any more. Nagel et al. 2019, section 4.1; TPU-MLIR's `--we`.

A tensor that several ops read is left alone (Add branches). Through an upper limit (Relu6) the
channels that reach it on samples have one factor together, with which the limit scales; the others
have their own (limits.py). TPU-MLIR equalizes there as if there were no
limit, which changes the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tpuc.correction.limits import Freedom, Tensors, limit_of, measured_tops
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
    freedom: Freedom
    scale: np.ndarray


def equalize_weights(graph: Graph, tensors: Tensors | None = None) -> Corrected:
    """Equalize every pair of layers that nothing else reads between.

    Parameters
    ----------
    graph : Graph
        Dialect `top`; not changed.
    tensors : callable, optional
        Of the network as it is; without it layers with an upper limit are left alone.

    Returns
    -------
    Corrected
        Its float outputs are those of `graph` but for rounding.
    """
    result = graph.clone()
    weights = {n.name: _magnitudes(n) for n in result.nodes if _is_layer(n)}
    before = {name: _spread(array) for name, array in weights.items()}
    tops = measured_tops(result, tensors)
    pairs, notes = [], []
    for node in result.nodes:
        found = _pair(result, node, tops)
        if isinstance(found, _Pair):
            pairs.append(found)
        elif found:
            notes.append(LayerNote(node.name, 0.0, 0.0, found))
    for _ in range(_ROUNDS):
        if max((_even_out(pair, weights) for pair in pairs), default=0.0) < _STILL:
            break
    limits = {p.first.name: p.freedom.words() for p in pairs}
    _store(result, pairs)
    changed = dict.fromkeys(n.name for p in pairs for n in (p.first, p.second))
    for name in changed:
        spreads = f"{before[name]:.3g} to {_spread(weights[name]):.3g}"
        text = f"largest over median channel range {spreads}"
        notes.append(LayerNote(name, 0.0, 0.0, text + limits.get(name, "")))
    return Corrected(result, tuple(notes), 0.0, 0.0)


def _is_layer(node: Node) -> bool:
    if node.op != "Conv":
        return False
    return all(v is None or v.data is not None for v in node.inputs[1:])


def _outputs(node: Node) -> int:
    return int(node.weight(1).shape[0])


def _pair(graph: Graph, node: Node, tops: dict[str, np.ndarray]) -> _Pair | str | None:
    """`node` and the layer behind it, or why it has no partner; None if it is no layer itself."""
    if not _is_layer(node):
        return None
    limited: list[Node] = []
    for here, value in _behind(graph, node):
        limit = limit_of(here)
        if limit is not None:
            limited.append(here)
            if value.name not in tops:
                return f"which channels reach its limit of {limit:g} is not known without samples"
        if len(value.users) != 1 or any(v is value for v in graph.outputs):
            return "several ops read its result" if value.users else None
        reader = value.users[0]
        if _is_layer(reader) and reader.inputs[0] is value:
            freedom = Freedom.of(_outputs(node), limited, tops)
            return _Pair(node, reader, freedom, np.ones(_outputs(node)))
        if reader.op not in _SCALE_FREE or reader.inputs[0] is not value:
            return f"{reader.op} behind it does not scale with channels"
    return None


def _behind(graph: Graph, node: Node) -> Iterator[tuple[Node, Value]]:
    """The op and its result, then those that read it alone."""
    while True:
        yield node, node.output
        node = node.output.users[0]


def _magnitudes(node: Node) -> np.ndarray:
    """Largest weight of each pair of channels, (O, I) float64."""
    weight = np.abs(node.weight(1))
    return weight.reshape(*weight.shape[:2], -1).max(axis=2).astype(np.float64)


def _by_input(node: Node, magnitudes: np.ndarray) -> np.ndarray:
    """Largest weight that reads each input channel, (C,)."""
    group = node.integer("group")
    return magnitudes.reshape(group, -1, magnitudes.shape[1]).max(axis=1).reshape(-1)


def _even_out(pair: _Pair, weights: dict[str, np.ndarray]) -> float:
    """Scale both layers' magnitudes, in place; how far the farthest factor is from 1."""
    one, two = weights[pair.first.name], weights[pair.second.name]
    r1 = pair.freedom.as_one(one.max(axis=1))
    r2 = pair.freedom.as_one(_by_input(pair.second, two))
    alive = (r1 > _LEAST) & (r2 > _LEAST)
    s = np.sqrt(np.divide(r1, r2, out=np.ones_like(r1), where=alive))
    s = pair.freedom.allowed(pair.scale * np.where(alive, s, 1.0)) / pair.scale
    one /= s[:, None]
    two *= _per_weight(pair.second, s)
    pair.scale *= s
    return float(np.abs(s - 1.0).max())


def _per_weight(node: Node, s: np.ndarray) -> np.ndarray:
    """Factors (O, I) of the weights of a layer whose input channels have the factors `s`."""
    group = node.integer("group")
    return np.repeat(s.reshape(group, -1), _outputs(node) // group, axis=0)


def _store(graph: Graph, pairs: list[_Pair]) -> None:
    for pair in pairs:
        share = pair.freedom.share(pair.scale)
        for node in pair.freedom.limited:
            node.attrs["relu_limit"] = float(np.float32((limit_of(node) or 0.0) / share))
    read = {p.second.name: _per_weight(p.second, p.scale) for p in pairs}
    made = {p.first.name: p.scale for p in pairs}
    for node in {n.name: n for p in pairs for n in (p.first, p.second)}.values():
        weight = node.weight(1)
        factor = read.get(node.name, np.ones((1, 1))) / made.get(node.name, np.ones(1))[:, None]
        inputs = list(node.inputs)
        factor = factor.reshape(*factor.shape, *[1] * (weight.ndim - 2))
        inputs[1] = _with_data(inputs[1], weight * factor)
        if len(inputs) > 2 and inputs[2] is not None and node.name in made:
            bias = node.weight(2)
            inputs[2] = _with_data(inputs[2], bias / made[node.name].reshape(bias.shape))
        graph.set_inputs(node, inputs)


def _with_data(value: Value | None, data: np.ndarray) -> Value:
    assert value is not None
    return Value(value.name, value.shape, value.dtype, value.quant, data.astype(np.float32))


def _spread(magnitudes: np.ndarray) -> float:
    ranges = magnitudes.max(axis=1)
    middle = float(np.median(ranges))
    return float(ranges.max()) / middle if middle > 0 else np.inf
