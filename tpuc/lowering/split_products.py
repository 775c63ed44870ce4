"""Cuts a MatMul whose columns are sliced apart into one MatMul for each Slice.

    MatMul, [Reshape], Slices, [Reshape or Squeeze behind each]
      -> MatMul `<name>_matmul_<number>`, Reshape `<name>_reshape_<number>` for each Slice

Each part has a weight scale of its own. The new ops have the thresholds of the MatMul and of what
stood behind the Slice, and the type that a quantize table gives the MatMul.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node, Value, with_defaults

__all__ = ["split_products"]


def split_products(graph: Graph, origins: dict[str, str]) -> None:
    """Cut in place; `origins` gets the old name of each new op."""
    for node in graph:
        if node.op == "MatMul" and node in graph.nodes:
            _split(graph, node, origins)


def _slices(graph: Graph, node: Node) -> list[Node] | None:
    """The Slices that read a product, directly or behind Reshapes."""
    out = node.output
    if any(out is v for v in graph.outputs):
        return None
    users = out.users
    if len(users) == 1 and users[0].op == "Reshape":
        return _slices(graph, users[0])
    return users if len(users) > 1 and all(u.op == "Slice" for u in users) else None


def _split(graph: Graph, node: Node, origins: dict[str, str]) -> None:
    right, bias = node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else None
    slices = _slices(graph, node)
    fixed = right is not None and right.is_weight and (bias is None or bias.is_weight)
    if slices is None or not fixed or right is None or node.flag("right_transpose"):
        return
    parts = _columns(node.output.shape, slices)
    if parts is None or node.flag("do_relu"):
        return
    number = 0
    for start, width, cut in parts:
        number += 1
        source = _part(graph, node, (start, start + width), f"{node.name}_matmul_{number}")
        origins[source.name] = node.name
        follower = _follower(graph, cut)
        target = cut.output if follower is None else follower.output
        if follower is not None or target.shape != source.shape:
            shaped = Value(f"{node.name}_reshape_{number}", target.shape)
            attrs = with_defaults("Reshape", {"shape": target.shape})
            graph.add("Reshape", [source], [shaped], attrs, before=node)
            origins[shaped.name] = target.name
            source = shaped
            number += follower is not None
        graph.replace_uses(target, source)
    graph.remove_dead()


def _columns(shape: tuple[int, ...], slices: list[Node]) -> list[tuple[int, int, Node]] | None:
    """(first column, columns, Slice) of each part, in order, if they make up the whole product."""
    axis, found = len(shape) - 1, []
    for cut in slices:
        source = cut.inputs[0]
        assert source is not None
        if len(source.shape) <= axis or source.shape[:axis] != shape[:axis]:
            return None
        bounds = zip(cut.ints("offset"), cut.ints("ends"), cut.ints("steps"))
        taken = [range(*slice(*b).indices(d)) for b, d in zip(bounds, source.shape)]
        others = [(t, d) for i, (t, d) in enumerate(zip(taken, source.shape)) if i != axis]
        if any(t != range(d) for t, d in others) or taken[axis].step != 1:
            return None
        step = int(np.prod(source.shape[axis + 1 :], dtype=np.int64))
        found.append((taken[axis].start * step, len(taken[axis]) * step, cut))
    found.sort(key=lambda part: part[0])
    ends = [0, *np.cumsum([width for _, width, _ in found]).tolist()]
    whole = ends[-1] == shape[-1] and [start for start, _, _ in found] == ends[:-1]
    return found if whole else None


def _follower(graph: Graph, cut: Node) -> Node | None:
    """The one Reshape or Squeeze behind a Slice."""
    users = cut.output.users
    if len(users) != 1 or users[0].op not in ("Reshape", "Squeeze"):
        return None
    return None if any(cut.output is v for v in graph.outputs) else users[0]


def _part(graph: Graph, node: Node, columns: tuple[int, int], name: str) -> Value:
    taken = slice(*columns)
    operands: list[Value | None] = [node.inputs[0]]
    for value in node.inputs[1:]:
        if value is None or value.data is None:
            operands.append(None)
            continue
        data = np.ascontiguousarray(value.data[..., taken])
        operands.append(Value(f"{name}_{value.name}", data.shape, data=data))
    out = Value(name, (*node.output.shape[:-1], columns[1] - columns[0]))
    graph.add("MatMul", operands, [out], node.attrs, before=node)
    return out
