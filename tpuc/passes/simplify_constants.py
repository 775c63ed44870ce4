"""Arithmetic with constants, as TPU-MLIR canonicalizes it.

1. Add, Mul, Max, Min with one number      -> AddConst, MulConst, MaxConst, MinConst
2. Mul, Add, Div with a per-channel weight -> Scale
3. BatchNorm             -> Scale: w = gamma / sqrt(var + eps), b = beta - mean * w
4. AddConst(0), MulConst(1)                -> removed
5. MulConst(MulConst(x, a), b)             -> MulConst(x, a * b), under the second one's name
"""

from __future__ import annotations

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import Graph, Node
from tpuc.passes.edit import absorb_follower, only_user, replace_node, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]

_CONST = {"Add": "AddConst", "Mul": "MulConst", "Max": "MaxConst", "Min": "MinConst"}


def run(graph: Graph) -> PassResult:
    """Apply rules 1-5 to every node."""
    count = 0
    skips: list[Skip] = []
    for node in graph:
        if node.op == "BatchNorm":
            _batch_norm(graph, node)
            count += 1
        elif node.op in _CONST and len(node.inputs) == 2:
            done = _with_weight(graph, node)
            if isinstance(done, Skip):
                skips.append(done)
            else:
                count += done
        elif node.op == "Div" and _per_channel(node):
            _scale(graph, node, 1.0 / node.weight(1), None)
            count += 1
    for node in graph:
        neutral = {"AddConst": 0.0, "MulConst": 1.0}.get(node.op)
        if neutral is not None and node.number("const_val") == neutral:
            count += _drop(graph, node)
    for node in graph:
        if node.op == "MulConst":
            count += _merge_factors(graph, node)
    return PassResult(count, tuple(skips))


def _relu(node: Node) -> dict[str, bool | float]:
    return {k: node.attrs[k] for k in ("do_relu", "relu_limit") if k in node.attrs}  # type: ignore[misc]


def _per_channel(node: Node) -> bool:
    """True if the second operand is a weight that differs along channels only."""
    x, w = node.inputs[0], node.inputs[1] if len(node.inputs) > 1 else None
    if x is None or w is None or w.data is None or len(x.shape) != 4:
        return False
    shape = (1,) * (4 - len(w.shape)) + w.shape
    return shape == (1, x.shape[1], 1, 1)


def _with_weight(graph: Graph, node: Node) -> bool | Skip:
    x, w = node.inputs
    if x is None or w is None or w.data is None:
        return False
    if w.data.size == 1:
        attrs = {"const_val": float(w.data.reshape(-1)[0]), **_relu(node)}
        replace_node(graph, node, _CONST[node.op], [x], attrs)
        return True
    if node.op in ("Max", "Min"):
        return Skip(f"{node}: its constant has {w.data.size} numbers; expected one", (node.name,))
    if not _per_channel(node):
        return False
    if node.op == "Mul":
        _scale(graph, node, w.data, None)
    else:
        _scale(graph, node, None, w.data)
    return True


def _scale(graph: Graph, node: Node, factor: np.ndarray | None, bias: np.ndarray | None) -> None:
    x = node.inputs[0]
    assert x is not None
    shape = (1, x.shape[1], 1, 1)
    ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    scale = weight(f"{node.name}_scale", ones if factor is None else factor.reshape(shape))
    shift = weight(f"{node.name}_bias", zeros if bias is None else bias.reshape(shape))
    replace_node(graph, node, "Scale", [x, scale, shift], _relu(node))


def _batch_norm(graph: Graph, node: Node) -> None:
    mean, variance, gamma, beta = (node.weight(i) for i in range(1, 5))
    root = np.sqrt(variance.astype(np.float64) + node.number("epsilon"))
    scale = (gamma / root).astype(np.float32)
    bias = (beta - mean * scale).astype(np.float32)
    shape = (1, scale.size)
    operands = [
        node.inputs[0],
        weight(f"{node.name}_scale", scale.reshape(shape)),
        weight(f"{node.name}_bias", bias.reshape(shape)),
    ]
    replace_node(graph, node, "Scale", operands, _relu(node))


def _drop(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    if source is None or node.attrs.get("do_relu") or any(node.output is v for v in graph.outputs):
        return False
    graph.replace_uses(node.output, source)
    graph.remove(node)
    return True


def _merge_factors(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    maker = source.producer if source is not None else None
    if source is None or maker is None or maker.op != "MulConst" or maker.attrs["do_relu"]:
        return False
    if only_user(graph, source) is not node:
        return False
    factor = maker.number("const_val") * node.number("const_val")
    maker.attrs.update({**node.attrs, "const_val": factor})
    absorb_follower(graph, maker, node)
    return True
