"""Folds arithmetic with one number into its neighbours.

1. MulConst after Conv or MatMul   -> filter and bias times the number (in double, then float32)
2. MulConst before Scale           -> w * c;  AddConst before Scale -> b + w * c

The producer must have one user. A relu of the producer passes through 1 only for c > 0; its limit
is multiplied too. TPU-MLIR 1.30 instead keeps the limit in 1 and forgets b in 2, which changes the
results; names and operands are the same.
"""

from __future__ import annotations

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import Graph, Node, Value
from tpuc.passes.edit import absorb_follower, only_user, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Apply the rules in program order."""
    count = 0
    skips: list[Skip] = []
    for node in graph:
        done: bool | Skip = False
        if node.op == "MulConst":
            done = _into_maker(graph, node)
        elif node.op == "Scale":
            while _into_scale(graph, node):
                count += 1
        if isinstance(done, Skip):
            skips.append(done)
        else:
            count += done
    return PassResult(count, tuple(skips))


def _into_maker(graph: Graph, node: Node) -> bool | Skip:
    source = node.inputs[0]
    maker = source.producer if source is not None else None
    if source is None or maker is None or maker.op not in ("Conv", "MatMul"):
        return False
    factor = node.number("const_val")
    reason = _obstacle(graph, maker, node, factor)
    if reason:
        return Skip(f"{node}: stays behind {maker}: {reason}", (node.name,))
    operands = [v if v is None else _times(v, factor) for v in maker.inputs[1:]]
    graph.set_inputs(maker, [maker.inputs[0], *operands])
    _merge_relu(maker, node, factor)
    absorb_follower(graph, maker, node)
    return True


def _obstacle(graph: Graph, maker: Node, node: Node, factor: float) -> str | None:
    if only_user(graph, maker.output) is not node:
        return "it has other users"
    if maker.flag("do_relu") and factor <= 0:
        return f"there is a Relu before the factor {factor}"
    if maker.op == "Conv" and len(maker.ints("kernel_shape")) != 2:
        return "it is not two-dimensional"
    if any(v is not None and not v.is_weight for v in maker.inputs[1:]):
        return "its weights are computed"
    return None


def _times(value: Value, factor: float) -> Value:
    assert value.data is not None
    product = (value.data.astype(np.float64) * factor).astype(np.float32)
    return weight(f"{value.name}_mergeMulConst", product)


def _merge_relu(maker: Node, node: Node, factor: float) -> None:
    limits = [maker.number("relu_limit") * factor] if maker.flag("do_relu") else []
    limits += [node.number("relu_limit")] if node.flag("do_relu") else []
    positive = [limit for limit in limits if limit > 0]
    maker.attrs.update(do_relu=bool(limits), relu_limit=min(positive, default=-1.0))


def _into_scale(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    maker = source.producer if source is not None else None
    if maker is None or source is None or maker.op not in ("MulConst", "AddConst"):
        return False
    if only_user(graph, source) is not node or maker.flag("do_relu"):
        return False
    number = np.float32(maker.number("const_val"))
    scale, bias = node.weight(1), node.weight(2)
    if maker.op == "MulConst":
        changed = [weight(f"{node.name}_scale", scale * number), node.inputs[2]]
    else:
        shifted = bias + scale.reshape(bias.shape) * number
        changed = [node.inputs[1], weight(f"{node.name}_bias", shifted)]
    graph.set_inputs(node, [maker.inputs[0], *changed])
    graph.remove(maker)
    return True
