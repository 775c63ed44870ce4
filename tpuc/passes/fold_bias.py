"""Lets MatMul take a constant vector that is added right after it as its bias.

TPU-MLIR's ONNX reader makes a Gemm of the two-dimensional ones before it names ops; so the result
is called `<tensor>_Gemm` there.
"""

from __future__ import annotations

from tpuc.errors import Skip
from tpuc.ir import Graph, Node
from tpuc.passes.edit import absorb_follower, only_user, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """MatMul without bias and relu + Add(vector as long as its last axis) is MatMul with bias."""
    count = 0
    skips: list[Skip] = []
    for node in graph:
        source = node.inputs[0] if node.op == "Add" and len(node.inputs) == 2 else None
        maker = source.producer if source is not None else None
        if source is None or maker is None or maker.op != "MatMul":
            continue
        reason = _obstacle(graph, maker, node)
        if reason:
            skips.append(Skip(f"{node}: stays beside {maker}: {reason}", (node.name,)))
            continue
        bias = weight(f"{node.name}_bias", node.weight(1).reshape(-1))
        graph.set_input(maker, 2, bias)
        maker.attrs.update(do_relu=node.attrs["do_relu"], relu_limit=node.attrs["relu_limit"])
        absorb_follower(graph, maker, node)
        if len(maker.output.shape) == 2 and graph.attrs.get("platform") != "TORCH":
            maker.output.name = f"{maker.name.removesuffix('_Add')}_Gemm"
        count += 1
    return PassResult(count, tuple(skips))


def _obstacle(graph: Graph, maker: Node, node: Node) -> str | None:
    added = node.inputs[1]
    if added is None or added.data is None:
        return "the addend is computed"
    if added.size != maker.output.shape[-1] or added.shape[-1] != added.size:
        return f"the addend has shape {added.shape}"
    if only_user(graph, maker.output) is not node:
        return "it has other users"
    if maker.attrs["do_relu"] or (len(maker.inputs) > 2 and maker.inputs[2] is not None):
        return "it has a bias or a Relu"
    return None
