"""Recognises normalization that exporters write as several ops.

1. d = x - mean(x), d / sqrt(mean(d * d) + eps) [* gamma [+ beta]]  -> LayerNorm (last axis)
2. x * (1 / sqrt(mean(x * x) + eps)) * gamma                        -> RMSNorm (last axis)
3. Reshape (N, groups, -1), InstanceNorm, Reshape back             -> GroupNorm

TPU-MLIR fuses rule 1 in the ONNX graph, before it names ops: `<last tensor>_LayerNormalization`.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, Graph, Node, Value
from tpuc.passes.edit import only_user, replace_node, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Apply the rules, each to every node."""
    count = 0
    for op, rule in (("Div", _layer_norm), ("Mul", _rms_norm), ("Reshape", _group_norm)):
        for node in graph:
            if node.op == op:
                count += rule(graph, node)
    if count:
        graph.remove_dead()
    return PassResult(count)


def _maker(value: Value | None, op: str) -> Node | None:
    made = value.producer if value is not None else None
    return made if made is not None and made.op == op else None


def _mean_of(value: Value | None) -> Value | None:
    """x of a mean over the last axis that keeps it."""
    node = _maker(value, "Reduce")
    if node is None or node.text("mode") != "ReduceMean" or not node.flag("keepdims"):
        return None
    source = node.inputs[0]
    assert source is not None
    last = len(source.shape) - 1
    return source if [a % (last + 1) for a in node.ints("axes")] == [last] else None


def _shifted(value: Value | None) -> tuple[Value, float] | None:
    """(x, c) of x + c."""
    node = value.producer if value is not None else None
    if node is None or node.op not in ("Add", "AddConst") or node.inputs[0] is None:
        return None
    if node.op == "AddConst":
        return node.inputs[0], node.number("const_val")
    right = node.inputs[1] if len(node.inputs) == 2 else None
    if right is None or right.data is None or right.size != 1:
        return None
    return node.inputs[0], float(right.data.reshape(-1)[0])


def _root_mean_square(value: Value | None) -> tuple[Value, float] | None:
    """(x, eps) of sqrt(mean(x * x) + eps)."""
    root = _maker(value, "Sqrt")
    sum_ = _shifted(root.inputs[0]) if root is not None else None
    square = _maker(_mean_of(sum_[0]), "Mul") if sum_ is not None else None
    if sum_ is None or square is None or len(square.inputs) != 2:
        return None
    left, right = square.inputs
    return (left, sum_[1]) if left is right and left is not None else None


def _vector(node: Node, one: Value) -> Value | None:
    """The other operand of a Mul or Add, if it is a constant along the last axis."""
    others = [v for v in node.inputs if v is not one]
    if len(node.inputs) != 2 or len(others) != 1 or others[0] is None or others[0].data is None:
        return None
    return others[0] if others[0].size == one.shape[-1] == others[0].shape[-1] else None


def _layer_norm(graph: Graph, node: Node) -> bool:
    centred = _maker(node.inputs[0], "Sub")
    found = _root_mean_square(node.inputs[1]) if len(node.inputs) == 2 else None
    if centred is None or found is None or found[0] is not centred.output:
        return False
    x = centred.inputs[0]
    if x is None or _mean_of(centred.inputs[1]) is not x or centred.flag("is_reverse"):
        return False
    last, operands = _affine(graph, node)
    rank = len(x.shape)
    attrs: dict[str, Attr] = {"axis": rank - 1, "eps": found[1], "normalized_shape": x.shape[-1:]}
    made = replace_node(graph, last, "LayerNorm", [x, *operands], attrs)
    if graph.attrs.get("platform") != "TORCH":
        made.output.name = f"{made.name.rpartition('_')[0]}_LayerNormalization"
    return True


def _affine(graph: Graph, node: Node) -> tuple[Node, list[Value | None]]:
    """The last op of the chain behind a division, and gamma and beta unless they are neutral."""
    scale = only_user(graph, node.output)
    gamma = _vector(scale, node.output) if scale is not None and scale.op == "Mul" else None
    if scale is None or gamma is None:
        return node, [None, None]
    shift = only_user(graph, scale.output)
    beta = _vector(shift, scale.output) if shift is not None and shift.op == "Add" else None
    if shift is None or beta is None:
        return node, [None, None]
    return shift, [_unless(gamma, 1.0), _unless(beta, 0.0)]


def _unless(value: Value, neutral: float) -> Value | None:
    assert value.data is not None
    if np.all(value.data == neutral):
        return None
    return value if len(value.shape) == 1 else weight(value.name, value.data.reshape(-1))


def _rms_norm(graph: Graph, node: Node) -> bool:
    inner = next((v for v in node.activations if _maker(v, "Mul")), None)
    gamma = _vector(node, inner) if inner is not None else None
    product = _maker(inner, "Mul")
    if inner is None or gamma is None or product is None or len(product.activations) != 2:
        return False
    for x, factor in (product.activations, product.activations[::-1]):
        inverse = _maker(factor, "Reciprocal")
        found = _root_mean_square(inverse.inputs[0]) if inverse is not None else None
        if inverse is None or found is None or found[0] is not x:
            continue
        if inverse.number("const_val") == 1.0 and only_user(graph, inner) is node:
            assert gamma.data is not None
            flat = weight(gamma.name, gamma.data.reshape(-1))
            replace_node(graph, node, "RMSNorm", [x, flat], {"eps": found[1]})
            return True
    return False


def _group_norm(graph: Graph, node: Node) -> bool:
    norm = _maker(node.inputs[0], "InstanceNorm")
    split = _maker(norm.inputs[0], "Reshape") if norm is not None else None
    source = split.inputs[0] if split is not None else None
    if norm is None or split is None or source is None or source.shape != node.output.shape:
        return False
    if any(v is not None for v in norm.inputs[1:]) or len(split.output.shape) != 3:
        return False
    alone = only_user(graph, split.output) is norm and only_user(graph, norm.output) is node
    batch, groups = split.output.shape[:2]
    if not alone or batch != source.shape[0] or source.shape[1] % groups:
        return False
    attrs: dict[str, Attr] = {"eps": norm.number("eps"), "num_groups": groups}
    made = replace_node(graph, node, "GroupNorm", [source, None, None], attrs)
    made.output.name = f"{norm.name}_r_GroupNorm"
    return True
