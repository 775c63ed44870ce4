"""Folds a constant spatial Pad into the convolutions and pools that read it.

All users must be Conv (value 0) or pools (AvgPool: the value must equal pad_value and padding must
count; MaxPool: never, padding there means minus infinity). No resulting pad may exceed 15, except
that of a Conv from ONNX, where simplifiers fold without a limit before TPU-MLIR looks.
"""

from __future__ import annotations

from tpuc.errors import Skip
from tpuc.ir import Graph, Node
from tpuc.passes.result import PassResult

__all__ = ["run"]

_MAX_PAD = 15
"""Width of the hardware's pad field: 4 bits."""


def run(graph: Graph) -> PassResult:
    """Fold every Pad that all of its users can take."""
    count = 0
    skips: list[Skip] = []
    for node in reversed(list(graph)):  # the last of several Pads in a row folds first
        if node.op == "Pad":
            reason = _obstacle(graph, node)
            if reason is None:
                _fold(graph, node)
                count += 1
            else:
                skips.append(Skip(f"{node}: {reason}", (node.name,)))
    return PassResult(count, tuple(skips))


def _spatial(node: Node) -> tuple[int, ...]:
    pads = node.ints("paddings")
    rank = len(pads) // 2
    return (*pads[2:rank], *pads[rank + 2 :])


def _total(node: Node, user: Node) -> tuple[int, ...]:
    own = user.ints("pads")
    return tuple(a + b for a, b in zip(own, _spatial(node)))


def _obstacle(graph: Graph, node: Node) -> str | None:
    pads = node.ints("paddings")
    rank = len(pads) // 2
    if node.attrs["mode"] != "constant":
        return f"mode is {node.attrs['mode']}"
    if rank < 3 or any((*pads[:2], *pads[rank : rank + 2])) or min(pads) < 0:
        return f"paddings {pads} are not spatial"
    if any(node.output is v for v in graph.outputs):
        return "it is an output"
    for user in node.output.users:
        value = node.number("val")
        if user.op == "Conv":
            fits = value == 0.0 and user.inputs[0] is node.output
        else:
            counts = bool(user.attrs.get("count_include_pad")) or not any(_own(user))
            fits = user.op == "AvgPool" and value == user.number("pad_value") and counts
        if not fits:
            return f"{user} can not take a padding of {value}"
        free = user.op == "Conv" and graph.attrs.get("platform") != "TORCH"
        if max(_total(node, user)) > _MAX_PAD and not free:
            return f"{user} would get pads {_total(node, user)}, above {_MAX_PAD}"
    return None


def _own(user: Node) -> tuple[int, ...]:
    return tuple(int(p) for p in user.attrs.get("pads", ()))  # type: ignore[union-attr]


def _fold(graph: Graph, node: Node) -> None:
    for user in node.output.users:
        user.attrs["pads"] = _total(node, user)
        if user.op == "AvgPool":
            user.attrs["count_include_pad"] = True
    source = node.inputs[0]
    assert source is not None
    graph.replace_uses(node.output, source)
    graph.remove(node)
