"""Learned rounding: for every weight, down or up, whatever makes the layer's output right.

    minimize  mean_p |W X_p + b - (Q s X'_p + b')|^2    over Q in {floor, floor + 1}(W / s) and b'

X: float inputs of the layer; X': what the lowered network gives it, behind layers that are learned
already. With the best b' this is, for every output channel, with e = Q s - W:

    e H e' + 2 e c,    H = cov(X', X') + ridge,   c = trust * W cov(X' - X, X')

the objective of AdaRound (Nagel et al. 2020, equation 20 with the asymmetric inputs of its section
3.3). AdaRound relaxes it and follows gradients on batches; here H is summed once, exactly, and the
binary problem itself is descended, best flip first (csrc/rounding.c): no rates, no iterations to
choose, seconds instead of minutes. b' then is set by what the lowered layer really gives, through
its activation, as bias correction does.

Lowering rounds float weights, so the learned integers are handed on as floats Q s. The largest
weight of every channel stays as it is, and with it the scale; that lowering makes Q of them is
checked, and a layer is left alone where it does not.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from tpuc.correction.bench import Bench, Gap, Walk
from tpuc.correction.bias_correction import move_bias
from tpuc.correction.layers import (
    channel_axis,
    columns,
    from_rows,
    positions,
    steps,
    to_rows,
    weighted_layers,
)
from tpuc.correction.result import Corrected, LayerNote
from tpuc.ir import Graph, Node
from tpuc.kernels import _rounding  # type: ignore[attr-defined]
from tpuc.progress import progress

__all__ = ["Learning", "learn_rounding"]

_FINE = 4096.0
"""Float inputs are summed as multiples of s_in / 4096: integers, so that sums are exact."""

_TRUST = 0.5
"""Share of an input's error that a layer makes up for: all of it fits the samples too well."""

_RIDGE = 0.1
"""Added to the diagonal of H, in means of it: what is hardly seen is rounded to the nearest."""

_MOST_WEIGHTS = 8192
"""Weights of one channel: the matrix of a layer with more would not fit the memory."""

_FEWEST, _PER_WEIGHT = 2000, 5
"""Pixels that a layer needs: 5 for each weight of a channel, 2000 at least."""

_NARROW = 64
"""Weights of a channel up to which a loop of our own sums faster than a matrix library."""

_BIAS_STEPS = 2


@dataclass(frozen=True)
class Learning:
    """How to learn.

    Parameters
    ----------
    positions : int
        Most pixels that a layer's matrix is summed over, chosen by `seed`; layers whose channels
        have few weights need fewer.
    """

    positions: int = 5000
    seed: int = 0


def learn_rounding(graph: Graph, bench: Bench, learning: Learning | None = None) -> Corrected:
    """Learn the rounding of all weights, layer by layer in program order.

    Parameters
    ----------
    graph : Graph
        Dialect `top`; not changed.
    """
    learning = learning or Learning()
    walk = Walk(graph, bench)
    layers, skipped = weighted_layers(walk.graph, walk.lowered)
    notes = list(skipped)
    for name in progress(layers, len(layers), "learning to round"):
        walk.arrive(name)
        notes.append(_learn(walk, name, learning))
    before, after = walk.output_cosines()
    if after <= before:
        notes = [LayerNote("outputs", before, after, "no nearer to float: everything undone")]
        return Corrected(graph, tuple(notes), before, before)
    return Corrected(walk.graph, tuple(notes), before, after)


def _learn(walk: Walk, name: str, learning: Learning) -> LayerNote:
    node = walk.nodes[name]
    start = walk.gap(name, axis=channel_axis(node))
    width = to_rows(node, node.weight(1)).shape[2]
    if width > _MOST_WEIGHTS:
        return _unchanged(name, start, f"{width} weights a channel; at most {_MOST_WEIGHTS}")
    old = {i: node.weight(i) for i in (1, 2) if len(node.inputs) > i and node.inputs[i] is not None}
    learned, flipped = _solve(walk, node, learning)
    walk.put(name, {1: _as_floats(walk, node, learned)})
    if not _survives(walk, node, learned):
        walk.put(name, old)
        return _unchanged(name, start, "lowering does not keep learned integers here")
    for _ in range(_BIAS_STEPS if 2 in old else 0):
        move_bias(walk, name, walk.gap(name, axis=channel_axis(node)).error)
    end = walk.gap(name, axis=channel_axis(node))
    if end.power >= start.power:
        walk.put(name, old)
        return _unchanged(name, start, "no nearer to float with other roundings")
    share = 100.0 * flipped / learned.size
    return LayerNote(name, start.cos, end.cos, f"{share:.0f} % of its weights rounded otherwise")


def _unchanged(name: str, gap: Gap, reason: str) -> LayerNote:
    return LayerNote(name, gap.cos, gap.cos, reason)


@dataclass
class _Problem:
    """Weights (G, O, I), in steps too; the lower choice, and where the other lies of the nearest.

    Parameters
    ----------
    room : float64 array
        1: the nearest is the lower one; -1: the upper one; 0: there is no choice.
    step : float64 array (G, O, 1)
    """

    weights: np.ndarray
    scaled: np.ndarray
    low: np.ndarray
    room: np.ndarray
    step: np.ndarray


def _problem(node: Node, twin: Node) -> _Problem:
    weights = to_rows(node, node.weight(1)).astype(np.float64)
    step = np.broadcast_to(steps(twin), (weights.shape[0] * weights.shape[1],))
    step = step.reshape(*weights.shape[:2], 1)
    scaled = np.divide(weights, step, out=np.zeros_like(weights), where=step > 0)
    filters = twin.inputs[1]
    assert filters is not None and filters.data is not None
    nearest = to_rows(node, filters.data).astype(np.float64)
    low = np.where(nearest > scaled, nearest - 1, nearest)
    room = np.where(nearest > scaled, -1.0, 1.0)
    largest = np.abs(weights).max(axis=2, keepdims=True)
    bound = largest * (1.0 + 1e-6) / np.where(step > 0, step, np.inf)
    beyond = (np.abs(low) > bound) | (np.abs(low + 1) > bound)
    unsigned = filters.dtype.qrange[0] == 0
    pinned = (np.abs(weights) >= largest) | beyond | (unsigned & (low < 0))
    low = np.where(pinned, nearest, low)
    return _Problem(weights, scaled, low, np.where(pinned, 0.0, room), step)


def _solve(walk: Walk, node: Node, learning: Learning) -> tuple[np.ndarray, int]:
    """Learned integers (G, O, I), and how many are not the nearest ones."""
    twin = walk.lowered_node(node.name)
    assert twin is not None
    problem = _problem(node, twin)
    centred = len(node.inputs) > 2 and node.inputs[2] is not None
    h, cross = _moments(*_inputs(walk, node, twin, learning), centred, walk.bench.threads)
    h, unit = _whole(h, _FINE)
    cross, other = _whole(cross, _FINE * max(1.0, float(np.abs(problem.scaled).max())))
    room = problem.room.copy()
    error = np.rint((problem.low + (room < 0) - problem.scaled) * _FINE)
    weights = np.rint(problem.scaled * _FINE)
    gradient = error @ h / _FINE + weights @ cross * (other / unit / _FINE)
    _rounding.descend(h, gradient, room, walk.bench.threads)
    return problem.low + (room < 0), int(np.count_nonzero(room != problem.room))


def _moments(
    x: np.ndarray, d: np.ndarray, centred: bool, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """P cov(X', X') and P cov(X' - X, X') of each group (G, I, I), in units of s_in squared."""
    if x.shape[1] <= _NARROW:
        h, cross = _rounding.moments(x, d, threads)
    else:  # sums of whole numbers below 2**53: exact, in any order
        wide = x.astype(np.float64)
        turned = wide.transpose(0, 2, 1)
        h, cross = wide @ turned, d.astype(np.float64) @ turned
    if centred:
        mean, shift = (v.sum(axis=2, dtype=np.float64) for v in (x, d))
        h -= mean[:, :, None] * mean[:, None, :] / x.shape[2]
        cross -= shift[:, :, None] * mean[:, None, :] / x.shape[2]
    diagonal = np.einsum("gii->gi", h)
    diagonal += _RIDGE * diagonal.mean(axis=1, keepdims=True)
    return h, cross * (_TRUST / _FINE)


def _whole(matrices: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Matrices as whole numbers of a unit each: products with numbers up to `factor` sum exactly.

    Returns
    -------
    matrices (G, I, I), units (G, 1, 1)
    """
    largest = np.abs(matrices).max(axis=(1, 2), keepdims=True) * factor * matrices.shape[1]
    unit = np.exp2(np.ceil(np.log2(np.maximum(largest, 1.0) / 2.0**52)))
    return np.ascontiguousarray(np.rint(matrices / unit)), unit


def _inputs(
    walk: Walk, node: Node, twin: Node, learning: Learning
) -> tuple[np.ndarray, np.ndarray]:
    """X' / s_in and 4096 (X' - X) / s_in of the chosen pixels: whole numbers, float32 (G, I, P)."""
    real, ours = node.inputs[0], twin.inputs[0]
    assert real is not None and ours is not None and ours.quant is not None
    picks = _picks(node, walk.bench.samples, learning)
    scale, start = ours.quant.scale, 0
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for x, q in walk.pairs(real.name, ours.name):
        stop = start + positions(node, len(x))
        here = picks[(picks >= start) & (picks < stop)] - start
        whole = np.rint(columns(node, q, here) / np.float32(scale))  # below 2**24: exact
        fine = np.rint(columns(node, x, here) * np.float32(_FINE / scale))
        parts.append((whole, whole * _FINE - fine))
        start = stop
    joined = [np.concatenate(p, axis=2) for p in zip(*parts)]
    return joined[0], joined[1]


def _picks(node: Node, samples: int, learning: Learning) -> np.ndarray:
    total = positions(node, samples)
    width = to_rows(node, node.weight(1)).shape[2]
    count = min(learning.positions, max(_FEWEST, _PER_WEIGHT * width))
    if total <= count:
        return np.arange(total)
    chance = np.random.default_rng([learning.seed, zlib.crc32(node.name.encode())])
    return np.sort(chance.choice(total, count, replace=False))


def _as_floats(walk: Walk, node: Node, learned: np.ndarray) -> np.ndarray:
    """Float weights that lowering rounds to `learned`; pinned ones stay as they are."""
    twin = walk.lowered_node(node.name)
    assert twin is not None
    problem = _problem(node, twin)
    largest = np.abs(problem.weights).max(axis=2, keepdims=True)
    made = np.clip(learned * problem.step, -largest, largest)
    made = np.where(np.abs(problem.weights) >= largest, problem.weights, made)
    return from_rows(node, made.astype(np.float32))


def _survives(walk: Walk, node: Node, learned: np.ndarray) -> bool:
    twin = walk.lowered_node(node.name)
    filters = twin.inputs[1] if twin is not None else None
    if filters is None or filters.data is None:
        return False
    return bool(np.array_equal(to_rows(node, filters.data).astype(np.float64), learned))
