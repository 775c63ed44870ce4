"""Moves the Permute of an attention's q, k and v behind the Slices that part them.

    MatMul, Reshape, Permute, n x (Slice of one, Squeeze)
      -> MatMul, Reshape, n x (Slice `_r_new`, Squeeze `_r_new`), and in front of each user of a
         Squeeze a Permute of its own: `<squeeze>_r_permute_for_<user>`

The Reshape parts the MatMul's last axis in three; the Slices take all positions of one axis of the
Permute, which must come from another place.
"""

from __future__ import annotations

from tpuc.ir import Attr, Graph, Node, Value, with_defaults
from tpuc.ir.shapes import infer_shapes
from tpuc.passes.edit import only_user
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Apply the rule to every Permute."""
    count = 0
    for node in graph:
        if node.op == "Permute":
            count += _sink(graph, node)
    return PassResult(count)


def _sink(graph: Graph, permute: Node) -> bool:
    reshape = _parting(graph, permute)
    slices = permute.output.users
    squeezes = [only_user(graph, s.output) for s in slices]
    axis = _axis(slices, squeezes)
    if reshape is None or axis is None or any(permute.output is v for v in graph.outputs):
        return False
    order = permute.ints("order")
    if axis != 0 or order[axis] == axis or len(slices) != permute.output.shape[axis]:
        return False
    for cut, squeeze in zip(slices, squeezes):
        assert squeeze is not None
        _move_slice(graph, cut, reshape.output, order)
        _move_squeeze(graph, squeeze, order)
    graph.remove(permute)
    return True


def _parting(graph: Graph, permute: Node) -> Node | None:
    """The Reshape between a MatMul and the Permute, if it parts the last axis in three."""
    source = permute.inputs[0]
    reshape = source.producer if source is not None else None
    if source is None or reshape is None or reshape.op != "Reshape":
        return None
    made = reshape.inputs[0]
    product = made.producer if made is not None else None
    if made is None or product is None or product.op != "MatMul":
        return None
    before, after = made.shape, source.shape
    parted = len(before) + 2 == len(after) and before[:-1] == after[: len(before) - 1]
    joined = (
        len(before) == 4
        and len(after) == 5
        and before[0] == after[0]
        and before[1] * before[2] == after[1]
    )
    alone = only_user(graph, made) is reshape and only_user(graph, source) is permute
    return reshape if alone and (parted or joined) else None


def _axis(slices: list[Node], squeezes: list[Node | None]) -> int | None:
    """The axis of which each Slice takes one position and which each Squeeze drops."""
    found: set[int] = set()
    for cut, squeeze in zip(slices, squeezes):
        source = cut.inputs[0] if cut.op == "Slice" else None
        if source is None or squeeze is None or squeeze.op != "Squeeze":
            return None
        shapes = zip(source.shape, cut.output.shape)
        axes = [i for i, (a, b) in enumerate(shapes) if a != b]
        dropped = [a % len(source.shape) for a in squeeze.ints("axes")]
        if len(axes) != 1 or cut.output.shape[axes[0]] != 1 or dropped != axes:
            return None
        found.add(axes[0])
    return found.pop() if len(found) == 1 else None


def _move_slice(graph: Graph, cut: Node, source: Value, order: tuple[int, ...]) -> None:
    moved: dict[str, Attr] = {}
    for key in ("offset", "ends", "steps"):
        given, fresh = cut.ints(key), [0] * len(order)
        for place, axis in enumerate(order):
            fresh[axis] = given[place]
        moved[key] = tuple(fresh)
    cut.attrs.update(moved, hasparamConvert_axes=(order[0],))
    graph.set_inputs(cut, [source, *cut.inputs[1:]])
    cut.output.name += "_r_new"
    cut.output.shape = infer_shapes(cut)[0]


def _move_squeeze(graph: Graph, squeeze: Node, order: tuple[int, ...]) -> None:
    out, dropped = squeeze.output, order[0]
    shape = out.shape
    squeeze.attrs["axes"] = (dropped,)
    out.name += "_r_new"
    out.shape = infer_shapes(squeeze)[0]
    back = tuple(a if a < dropped else a - 1 for a in order[1:])
    for user in out.users:
        turned = Value(f"{out.name}_r_permute_for_{user.name}", shape)
        attrs = with_defaults("Permute", {"order": back})
        graph.replace_uses(out, turned, only=[user])
        graph.add("Permute", [out], [turned], attrs, before=user)
