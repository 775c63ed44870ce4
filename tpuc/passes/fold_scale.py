"""Folds Scale into the MatMul or Scale that makes its input.

    MatMul: right[:, o] *= w[o], bias[o] = bias[o] * w[o] + b[o] (two-dimensional weight)
    Scale:  w = w1 * w2, b = b1 * w2 + b2
The producer must have no other user and no relu. The folded op takes the Scale's name. A Scale
behind a Conv stays: TPU-MLIR calibrates both and folds them as it lowers (`tpuc.lowering.prepare`).
"""

from __future__ import annotations

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import Graph, Node, Value
from tpuc.passes.edit import absorb_follower, only_user, weight
from tpuc.passes.result import PassResult

__all__ = ["fold_into", "run"]


def run(graph: Graph) -> PassResult:
    """Fold until nothing changes."""
    count = 0
    skips: dict[str, Skip] = {}
    changed = True
    while changed:
        changed = False
        for node in graph:
            if node.op != "Scale" or node not in graph.nodes:
                continue
            done = _fold(graph, node)
            if isinstance(done, Skip):
                skips[node.name] = done
            elif done:
                changed = True
                count += 1
    return PassResult(count, tuple(skips.values()))


def _fold(graph: Graph, node: Node) -> bool | Skip:
    source = node.inputs[0]
    maker = source.producer if source is not None else None
    if source is None or maker is None or maker.op not in ("MatMul", "Scale"):
        return False
    if only_user(graph, source) is not node:
        return Skip(f"{node}: {maker} has other users, Scale stays", (node.name,))
    if maker.attrs["do_relu"]:
        return Skip(f"{node}: {maker} has a Relu in between", (node.name,))
    operands = maker.inputs[1:]
    if any(v is not None and v.data is None for v in operands) or not _fits(maker):
        return Skip(f"{node}: {maker} has computed operands", (node.name,))
    scale, bias = node.weight(1).reshape(-1), node.weight(2).reshape(-1)
    maker.attrs.update(do_relu=node.attrs["do_relu"], relu_limit=node.attrs["relu_limit"])
    fold_into(graph, maker, scale, bias, node.name)
    absorb_follower(graph, maker, node)
    return True


def _fits(maker: Node) -> bool:
    return maker.op != "MatMul" or (len(maker.weight(1).shape) == 2)


def fold_into(graph: Graph, maker: Node, scale: np.ndarray, bias: np.ndarray, name: str) -> None:
    """Multiply a MatMul or Scale by `scale` and add `bias` (per output channel, float32)."""
    filters = maker.weight(1)
    given = maker.inputs[2] if len(maker.inputs) > 2 else None
    old = given.data.reshape(-1) if given is not None and given.data is not None else None
    added = bias if old is None else (old * scale + bias).astype(np.float32)
    if maker.op == "Scale":
        new = (filters.reshape(-1) * scale).reshape(filters.shape)
    else:
        new = filters * scale
    shape = filters.shape if maker.op == "Scale" else added.shape
    operands: list[Value | None] = [
        maker.inputs[0],
        weight(f"{name}_scale", new),
        weight(f"{name}_bias", added.reshape(shape)),
    ]
    graph.set_inputs(maker, operands)
