"""Folds BatchNormalization into the convolution before it, as ONNX simplifiers do.

    w = gamma / sqrt(var + eps);  filter[o] *= w[o];  bias[o] = (bias[o] - mean[o]) * w[o] + beta[o]
in float32. Unlike the canonical passes this keeps the convolution's own name, unless the result is
an output of the model: TPU-MLIR simplifies the ONNX graph before it names anything.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node, Value

__all__ = ["fold_batch_norm"]


def fold_batch_norm(graph: Graph) -> int:
    """Fold every BatchNorm whose input is a Conv with constant filter that nothing else reads."""
    count = 0
    for node in graph:
        source = node.inputs[0] if node.op == "BatchNorm" else None
        maker = source.producer if source is not None else None
        if source is None or maker is None or maker.op != "Conv" or not _foldable(maker):
            continue
        if len(source.uses) == 1 and not any(v is source for v in graph.outputs):
            _fold(graph, maker, node)
            count += 1
    return count


def _foldable(conv: Node) -> bool:
    return all(v is None or v.is_weight for v in conv.inputs[1:])


def _fold(graph: Graph, conv: Node, norm: Node) -> None:
    mean, variance, gamma, beta = (norm.weight(i) for i in range(1, 5))
    epsilon = np.float32(norm.number("epsilon"))
    factor = (gamma / np.sqrt(variance + epsilon)).astype(np.float32)
    filters = conv.weight(1)
    given = conv.inputs[2] if len(conv.inputs) > 2 else None
    old = np.zeros_like(mean) if given is None or given.data is None else given.data
    new = filters * factor.reshape(-1, *([1] * (filters.ndim - 1)))
    bias = (old - mean) * factor + beta
    operands: list[Value | None] = [conv.inputs[0]]
    for suffix, data in (("filter", new), ("bias", bias)):
        name = f"{conv.name}_{suffix}_folded"
        operands.append(Value(name, data.shape, data=np.ascontiguousarray(data, np.float32)))
    graph.set_inputs(conv, operands)
    is_output = any(v is norm.output for v in graph.outputs)
    graph.replace_uses(norm.output, conv.output)
    if is_output:
        conv.output.name = norm.name.removesuffix("BatchNormalization") + "Conv"
    graph.remove(norm)
