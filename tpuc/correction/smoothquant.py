"""SmoothQuant: outliers of activations move into the weights behind them, channel by channel.

    x W = (x / s) (s W),   1 / s goes into what makes x: gamma and beta of a normalization, a
                           constant factor, or weight and bias of the projection of values
    s = a^alpha / w^(1 - alpha),   alpha = 0, 0.05 .. 1;      a_c = max |x_c|,  w_c = max |W[c]|
    s = max(1, a / (max a (1 + k) / 20)),   k = 0 .. 19
    the s of least   mean |q(x / s) q(s W) - x W|^2   over samples and readers;   q: symmetric int8

Xiao et al. 2022, equation 4; the second family is that of Outlier Suppression+ (Wei et al. 2023).
TPU-MLIR's `--sq` searches the same candidates. Where a normalization is also read by something that
is no product (BERT adds it on), a factor of its own is put in front of the products.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tpuc.correction.limits import Tensors
from tpuc.correction.result import Corrected, LayerNote
from tpuc.correction.smooth_places import NORMS, Place, operand_of, place_of
from tpuc.ir import Graph, Node, Value, with_defaults
from tpuc.progress import progress

__all__ = ["smooth_activations"]

_ROWS = 2048
"""Rows of an activation that candidates are compared on, evenly spread over the samples."""

_GAIN = 0.99
"""A scale is worth it when the loss falls below this share."""


def smooth_activations(graph: Graph, tensors: Tensors) -> Corrected:
    """Smooth every place.

    Parameters
    ----------
    graph : Graph
        Dialect `top`; not changed.
    tensors : callable
        Of the network as it is.

    Returns
    -------
    Corrected
        Its float outputs are those of `graph` but for rounding.
    """
    result = graph.clone()
    places = [p for node in list(result.nodes) if (p := place_of(result, node)) is not None]
    rows = _rows(places, tensors)
    notes = []
    for place in progress(places, len(places), "smoothing"):
        notes.append(_smooth(result, place, rows[operand_of(place.readers[0]).name]))
    return Corrected(result, tuple(notes), 0.0, 0.0)


def _rows(places: Sequence[Place], tensors: Tensors) -> dict[str, np.ndarray]:
    """Some rows of what the readers read (R, C), and the largest |x| of all in a last row."""
    names = list(dict.fromkeys(operand_of(r).name for p in places for r in p.readers))
    kept: dict[str, list[np.ndarray]] = {n: [] for n in names}
    tops: dict[str, np.ndarray] = {}
    for batch in tensors(names) if names else ():
        for name in names:
            flat = batch[name].reshape(-1, batch[name].shape[-1])
            top = np.abs(flat).max(axis=0)
            tops[name] = np.maximum(tops[name], top) if name in tops else top
            kept[name].append(np.array(flat[:: max(1, len(flat) // 256)]))
    found = {}
    for name in names:
        rows = np.concatenate(kept[name])
        found[name] = np.vstack([rows[:: -(-len(rows) // _ROWS)], tops[name][None]])
    return found


def _smooth(graph: Graph, place: Place, rows: np.ndarray) -> LayerNote:
    activations, tops = rows[:-1].astype(np.float32), rows[-1].astype(np.float64)
    weights = [_by_input(node) for node in place.readers]
    strength = np.max([np.abs(w).max(axis=1) for w in weights], axis=0).astype(np.float64)
    wanted = [activations @ w for w in weights]
    plain = _loss(activations, tops, weights, wanted, np.ones_like(tops))
    best, least = np.ones_like(tops), plain
    for scale in _candidates(tops, strength):
        loss = _loss(activations, tops, weights, wanted, scale)
        if loss < least:
            best, least = scale, loss
    name = place.source.name
    if least >= _GAIN * plain:
        return LayerNote(name, 0.0, 0.0, "no scale makes its products better")
    _apply(graph, place, best.astype(np.float32))
    share = 100.0 * least / plain
    return LayerNote(
        name, 0.0, 0.0,
        f"error of its {len(place.readers)} products {share:.0f} % of what it was; "
        f"scales {best.min():.3g} to {best.max():.3g}"
        + (", by a factor of its own" if place.apart else ""),
        place.readers[0].name,
    )  # fmt: skip


def _candidates(tops: np.ndarray, strength: np.ndarray) -> Iterator[np.ndarray]:
    for alpha in np.arange(0.0, 1.05, 0.05):
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = tops**alpha / strength ** (1.0 - alpha)
        yield np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)
    largest = float(tops.max())
    for step in range(20 if largest > 0 else 0):
        yield np.maximum(1.0, tops / (largest * (1 + step) / 20))


def _loss(
    x: np.ndarray, tops: np.ndarray, weights: Sequence[np.ndarray],
    wanted: Sequence[np.ndarray], scale: np.ndarray,
) -> float:  # fmt: skip
    """Sum over readers of the mean squared error of their int8 products."""
    s = scale.astype(np.float32)
    quantized = _int8(x / s, float((tops / scale).max()))
    return sum(
        float(np.mean(np.square(quantized @ _int8(w * s[:, None], None) - y), dtype=np.float64))
        for w, y in zip(weights, wanted)
    )


def _int8(x: np.ndarray, top: float | None) -> np.ndarray:
    largest = float(np.abs(x).max()) if top is None else top
    step = np.float32(largest / 127 or 1.0)
    return np.clip(np.rint(x / step), -127, 127) * step


def _by_input(node: Node) -> np.ndarray:
    """Weights (C, N)."""
    weight = node.weight(1).astype(np.float32)
    return weight.T if node.flag("right_transpose") else weight


def _apply(graph: Graph, place: Place, scale: np.ndarray) -> None:
    for node in place.readers:
        factor = scale[None, :] if node.flag("right_transpose") else scale[:, None]
        _replace(graph, node, 1, node.weight(1) * factor)
    source = place.source
    if place.apart:
        _insert(graph, place, scale)
    elif source.op == "MatMul":
        turned = source.flag("right_transpose")
        _replace(graph, source, 1, source.weight(1) / (scale[:, None] if turned else scale))
        if len(source.inputs) > 2 and source.inputs[2] is not None:
            _replace(graph, source, 2, source.weight(2) / scale)
    else:
        _divide(graph, source, scale)


def _divide(graph: Graph, node: Node, scale: np.ndarray) -> None:
    """Divide all constants of a normalization or Mul; a gamma of ones may be left out."""
    if node.op in NORMS and (len(node.inputs) < 2 or node.inputs[1] is None):
        ones = Value(f"{node.name}_gamma", scale.shape, node.output.dtype, None,
                     np.ones(len(scale), np.float32))  # fmt: skip
        graph.set_input(node, 1, ones)
    for index in range(1, len(node.inputs)):
        if node.inputs[index] is not None:
            _replace(graph, node, index, node.weight(index) / scale)


def _replace(graph: Graph, node: Node, index: int, data: np.ndarray) -> None:
    old = node.inputs[index]
    assert old is not None
    shared = len(old.uses) > 1
    name = f"{node.name}_smooth_{index}" if shared else old.name
    made = Value(name, old.shape, old.dtype, old.quant, np.ascontiguousarray(data, np.float32))
    graph.set_inputs(node, [made if v is old else v for v in node.inputs])


def _insert(graph: Graph, place: Place, scale: np.ndarray) -> None:
    """A product with 1 / s between a normalization and the MatMuls that read it."""
    source = place.source.output
    name = f"{place.source.name}_smooth"
    shape = (1,) * (len(source.shape) - 1) + (len(scale),)
    factor = Value(f"{name}_weight", shape, source.dtype, None, (1.0 / scale).reshape(shape))
    result = Value(name, source.shape, source.dtype)
    first = min(place.readers, key=graph.nodes.index)
    graph.add("Mul", [source, factor], [result], with_defaults("Mul", {}), before=first)
    for node in place.readers:
        graph.set_inputs(node, [result if v is source else v for v in node.inputs])
