"""Lets an op absorb the Relu that follows it.

1. An op that fuses relu, with the Relu as single user, takes it: do_relu, relu_limit = the smaller
   positive limit; its name becomes the Relu's.
2. Relu after a single-use Concat moves in front of it when every operand can take it.
3. Relu of Relu is one Relu.
"""

from __future__ import annotations

from tpuc.errors import Skip
from tpuc.ir import Graph, Node, spec_of
from tpuc.passes.edit import absorb_follower, only_user
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Apply the rules in program order."""
    count = 0
    skips: list[Skip] = []
    for node in graph:
        if node.op != "Relu":
            continue
        done = _fuse(graph, node)
        if isinstance(done, Skip):
            skips.append(done)
        else:
            count += done
    return PassResult(count, tuple(skips))


def _limit(first: float, second: float) -> float:
    positive = [v for v in (first, second) if v > 0]
    return min(positive, default=-1.0)


def _fuse(graph: Graph, relu: Node) -> bool | Skip:
    source = relu.inputs[0]
    maker = source.producer if source is not None else None
    if source is None or maker is None:
        return False
    can = spec_of(maker.op, "top").fuses_relu
    if not can and maker.op != "Relu":
        return False
    if only_user(graph, source) is not relu:
        return Skip(f"{relu}: {maker} has other users, Relu stays", (relu.name,))
    limit = relu.number("relu_limit")
    if maker.op == "Relu":
        maker.attrs["relu_limit"] = _limit(maker.number("relu_limit"), limit)
    else:
        old = maker.number("relu_limit") if maker.attrs["do_relu"] else -1.0
        maker.attrs.update(do_relu=True, relu_limit=_limit(old, limit))
    absorb_follower(graph, maker, relu)
    return True
