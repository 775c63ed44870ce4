"""Lets an op absorb the Relu that follows it.

1. An op that fuses relu, with the Relu as single user, takes it: do_relu, relu_limit = the smaller
   positive limit; its name becomes the Relu's. Div and Concat never do.
2. Relu after a single-use Concat moves in front of it when all operands come from ops that fuse
   relu: `X_move_ahead_relu`; the Concat becomes `<name>_relu`.
3. Relu of Relu with the same limit is one Relu.
"""

from __future__ import annotations

from tpuc.errors import Skip
from tpuc.ir import Graph, Node, Value, spec_of, with_defaults
from tpuc.passes.edit import absorb_follower, only_user
from tpuc.passes.result import PassResult

__all__ = ["run"]

_NEVER = ("Div", "Concat")


def run(graph: Graph) -> PassResult:
    """Apply the rules in program order."""
    count = 0
    skips: list[Skip] = []
    for rule in (_fuse, _move_before_concat, _fuse):
        for node in graph:
            if node.op != "Relu":
                continue
            done = rule(graph, node)
            if isinstance(done, Skip):
                skips.append(done)
            else:
                count += done
    return PassResult(count, tuple(dict.fromkeys(skips)))


def _fuses(node: Node | None) -> bool:
    return node is not None and node.op not in _NEVER and spec_of(node.op, "top").fuses_relu


def _move_before_concat(graph: Graph, relu: Node) -> bool | Skip:
    source = relu.inputs[0]
    concat = source.producer if source is not None else None
    if concat is None or concat.op != "Concat" or only_user(graph, concat.output) is not relu:
        return False
    other = next((v for v in concat.inputs if v is None or not _fuses(v.producer)), None)
    if other is not None:
        return Skip(f"{relu}: {other.producer or other.name} can not take it", (relu.name,))
    moved: dict[Value, Value] = {}
    for value in concat.activations:
        if value not in moved:
            out = Value(f"{value.name}_move_ahead_relu", value.shape)
            graph.add("Relu", [value], [out], with_defaults("Relu", relu.attrs), before=concat)
            moved[value] = out
    graph.set_inputs(concat, [moved[v] for v in concat.activations])
    graph.replace_uses(relu.output, concat.output)
    graph.remove(relu)
    concat.output.name = f"{concat.name}_relu"
    return True


def _limit(first: float, second: float) -> float:
    positive = [v for v in (first, second) if v > 0]
    return min(positive, default=-1.0)


def _fuse(graph: Graph, relu: Node) -> bool | Skip:
    source = relu.inputs[0]
    maker = source.producer if source is not None else None
    if source is None or maker is None:
        return False
    limit = relu.number("relu_limit")
    same = maker.op == "Relu" and maker.number("relu_limit") == limit
    if not _fuses(maker) and not same:
        return False
    if only_user(graph, source) is not relu:
        return Skip(f"{relu}: {maker} has other users, Relu stays", (relu.name,))
    if maker.op != "Relu":
        old = maker.number("relu_limit") if maker.attrs["do_relu"] else -1.0
        maker.attrs.update(do_relu=True, relu_limit=_limit(old, limit))
    absorb_follower(graph, maker, relu)
    return True
