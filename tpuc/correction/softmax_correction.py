"""Softmax correction: attention weights use all steps of their type, head by head.

    (p v) = c ((p / c) v),   c_h = mean over samples and rows of max_k p[h, row, k]

A row of attention over many tokens has no value near 1, yet softmax is quantized as [0, 1]. A Mul
by 1 / c behind the softmax, whose threshold is fixed at 1, and one by c behind the product with the
values leave the float network as it was. What is above c of its head is clipped. It is what
TPU-MLIR's `--smc` does, with the same c.

It loses where rows differ much: on the small ViT of tests/golden weights reach 0.69 at a c of 0.16
to 0.21, and the cosine of the outputs falls from 0.9989 to 0.9976 (TPU-MLIR's own: to 0.9978). With
the largest weight of a head as c, which clips nothing, it would be 0.9990: clipping is what costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tpuc.artifacts import CalibrationTable, Range
from tpuc.correction.limits import Tensors
from tpuc.correction.result import Corrected, LayerNote
from tpuc.ir import Graph, Node, Value, with_defaults

__all__ = ["correct_softmaxes", "with_unit_ranges"]

_BEHIND = "_Smc_Inv_Mul"
_HEAD_AXIS = {3: 0, 4: 1}
"""Axis of the heads, by the rank of the attention weights."""


def correct_softmaxes(graph: Graph, tensors: Tensors) -> Corrected:
    """Correct every softmax that one product alone reads, from the left.

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
    softmaxes = [n for n in result.nodes if n.op == "Softmax"]
    reasons = {n.name: _obstacle(result, n) for n in softmaxes}
    chosen = [n for n in softmaxes if reasons[n.name] is None]
    tops = _row_maxima(chosen, tensors)
    notes = [LayerNote(name, 0.0, 0.0, why) for name, why in reasons.items() if why is not None]
    for node in chosen:
        scale, largest = tops[node.name]
        product = node.output.users[0].name
        _scale(result, node, scale)
        text = (
            f"mean of largest weights of a row, by head, {scale.min():.3g} to {scale.max():.3g}; "
            f"the largest of all, {largest:.3g}, is clipped to that of its head"
        )
        notes.append(LayerNote(node.name, 0.0, 0.0, text, product))
    return Corrected(result, tuple(notes), 0.0, 0.0)


def with_unit_ranges(table: CalibrationTable, names: Iterable[str]) -> CalibrationTable:
    """A table in which scaled attention weights reach from 0 to 1; `names`: of all tensors."""
    found = [n for n in names if n.endswith(_BEHIND) and n in table.ranges]
    if not found:
        return table
    return replace(table, ranges={**table.ranges, **dict.fromkeys(found, Range(1.0, 0.0, 1.0))})


def _obstacle(graph: Graph, node: Node) -> str | None:
    """Why a softmax is left as it is; None if it can be corrected."""
    value = node.output
    rank = len(value.shape)
    if rank not in _HEAD_AXIS or node.integer("axis") % rank != rank - 1 or node.attrs.get("log"):
        return f"axis {node.integer('axis')} of shape {value.shape} is no attention over heads"
    if len(value.uses) != 1 or any(v is value for v in graph.outputs):
        return "not one op alone reads it"
    product = value.users[0]
    if product.op != "MatMul" or product.inputs[0] is not value:
        return f"{product.op} behind it is no product with values"
    values = product.inputs[1]
    if values is None or values.is_weight:
        return "the values behind it are constant"
    bias = product.inputs[2] if len(product.inputs) > 2 else None
    flags = ("left_transpose", "output_transpose", "hdim_is_batch", "do_relu")
    if bias is not None or any(product.attrs.get(flag) for flag in flags):
        return "the product behind it does more than multiply"
    if product.output.shape[: rank - 1] != value.shape[: rank - 1]:
        return f"the product behind it makes {product.output.shape} of {value.shape}"
    if any(v is product.output for v in graph.outputs):
        return "the product behind it is an output of the network"
    return None


def _row_maxima(nodes: list[Node], tensors: Tensors) -> dict[str, tuple[np.ndarray, float]]:
    """Mean largest weight of a row, for each head, broadcastable; and the largest of all."""
    sums: dict[str, np.ndarray] = {}
    largest = dict.fromkeys((n.name for n in nodes), 0.0)
    rows = 0
    for batch in tensors([n.output.name for n in nodes]) if nodes else ():
        for node in nodes:
            shape = node.output.shape
            tops = batch[node.output.name].reshape(-1, *shape).max(axis=-1, keepdims=True)
            axis = 1 + _HEAD_AXIS[len(shape)]
            others = tuple(i for i in range(1, tops.ndim) if i != axis)
            means = tops.astype(np.float64).mean(axis=others, keepdims=True)
            sums[node.name] = sums.get(node.name, 0.0) + means.sum(axis=0)
            largest[node.name] = max(largest[node.name], float(tops.max()))
            samples = len(tops)
        rows += samples
    return {name: (total / rows, largest[name]) for name, total in sums.items()}


def _scale(graph: Graph, node: Node, scale: np.ndarray) -> None:
    product = node.output.users[0]
    made = _times(graph, node.output, 1.0 / scale, f"{node.name}_Smc_Inv", product)
    graph.set_inputs(product, [made if v is node.output else v for v in product.inputs])
    readers = list(product.output.users)
    first = min(readers, key=graph.nodes.index)
    back = _times(graph, product.output, scale, f"{product.name}_Smc", first)
    graph.replace_uses(product.output, back, readers)


def _times(graph: Graph, value: Value, factor: np.ndarray, stem: str, before: Node) -> Value:
    """The result of a new Mul by a constant."""
    data = factor.astype(np.float32)
    constant = Value(f"{stem}_Weight", data.shape, value.dtype, None, data)
    result = Value(f"{stem}_Mul", value.shape, value.dtype)
    graph.add("Mul", [value, constant], [result], with_defaults("Mul", {}), before=before)
    return result
