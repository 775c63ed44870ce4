"""Shapes of ops that move values and change none."""

from __future__ import annotations

import math

from tpuc.errors import GraphError
from tpuc.ir.node import Node, Value
from tpuc.ir.shapes.registry import Shape, Shapes, broadcast, rule, shape_of

__all__: list[str] = []


@rule("Reshape")
def _reshape(node: Node) -> Shapes:
    source = shape_of(node)
    target = node.ints("shape") if "shape" in node.attrs else _declared(node, source)
    dims = [source[i] if d == 0 else int(d) for i, d in enumerate(target)]
    size = math.prod(source)
    if -1 in dims:
        known = -math.prod(dims)
        dims[dims.index(-1)] = size // known if known else 0
    if math.prod(dims) != size:
        raise GraphError(f"{node}: {source} can not become {target}")
    return (tuple(dims),)


def _declared(node: Node, source: Shape) -> Shape:
    """What a Reshape without that attribute declares; TPU-MLIR's own passes make such."""
    made = node.output.shape
    return made if made and math.prod(made) == math.prod(source) else source


@rule("Flatten")
def _flatten(node: Node) -> Shapes:
    shape = shape_of(node)
    start = node.integer("start_dim") % (len(shape) + 1)
    end = node.integer("end_dim") % len(shape) + 1
    return ((*shape[:start], math.prod(shape[start:end]), *shape[end:]),)


@rule("Permute")
def _permute(node: Node) -> Shapes:
    shape = shape_of(node)
    return (tuple(shape[i] for i in node.ints("order")),)


@rule("Squeeze")
def _squeeze(node: Node) -> Shapes:
    shape = shape_of(node)
    axes = {a % len(shape) for a in node.ints("axes")}
    axes = axes or {i for i, d in enumerate(shape) if d == 1}
    return (tuple(d for i, d in enumerate(shape) if i not in axes) or (1,),)


@rule("Unsqueeze")
def _unsqueeze(node: Node) -> Shapes:
    axes = node.ints("axes")
    rank = len(shape_of(node)) + len(axes)
    rest = iter(shape_of(node))
    fresh = {a % rank for a in axes}
    return (tuple(1 if i in fresh else next(rest) for i in range(rank)),)


@rule("Concat")
def _concat(node: Node) -> Shapes:
    shapes = [v.shape for v in node.inputs if isinstance(v, Value)]
    axis = node.integer("axis") % len(shapes[0])
    rests = {(*s[:axis], *s[axis + 1 :]) for s in shapes}
    if len(rests) > 1:
        raise GraphError(f"{node}: shapes {shapes} do not join along axis {axis}")
    return ((*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]),)


@rule("Split")
def _split(node: Node) -> Shapes:
    shape = shape_of(node)
    axis = node.integer("axis") % len(shape)
    return tuple((*shape[:axis], s, *shape[axis + 1 :]) for s in node.ints("split_size"))


@rule("Slice")
def _slice(node: Node) -> Shapes:
    shape = list(shape_of(node))
    offset, steps, ends = (node.ints(k) for k in ("offset", "steps", "ends"))
    axes = node.ints("axes") or tuple(range(len(offset)))
    for axis, start, step, end in zip(axes, offset, steps, ends):
        size = shape[axis]
        stop = None if step < 0 and end < -size else end
        shape[axis] = len(range(*slice(start, stop, step).indices(size)))
    return (tuple(shape),)


@rule("Pad")
def _pad(node: Node) -> Shapes:
    shape, pads = shape_of(node), node.ints("paddings")
    return (tuple(d + pads[i] + pads[i + len(shape)] for i, d in enumerate(shape)),)


@rule("Expand")
def _expand(node: Node) -> Shapes:
    return (broadcast(node, [shape_of(node), node.ints("shape")]),)


@rule("Tile")
def _tile(node: Node) -> Shapes:
    shape, tile = shape_of(node), node.ints("tile")
    padded = (1,) * (len(tile) - len(shape)) + shape
    return (tuple(d * t for d, t in zip(padded, tile)),)


@rule("Gather")
def _gather(node: Node) -> Shapes:
    shape, indices = shape_of(node), shape_of(node, 1)
    axis = node.integer("axis") % len(shape)
    middle = indices if node.attrs.get("keepdims", True) else ()
    return ((*shape[:axis], *middle, *shape[axis + 1 :]),)


@rule("Upsample")
def _upsample(node: Node) -> Shapes:
    n, c, h, w = shape_of(node)
    return ((n, c, h * node.integer("scale_h"), w * node.integer("scale_w")),)


@rule("Interp")
def _interp(node: Node) -> Shapes:
    n, c, h, w = shape_of(node)
    target = node.inputs[1] if len(node.inputs) > 1 else None
    if target is not None and target.data is not None:
        th, tw = (int(v) for v in target.data.reshape(-1)[-2:])
        return ((n, c, th, tw),)
    scale_h, scale_w = node.number("scale_h"), node.number("scale_w")
    return ((n, c, int(h * scale_h), int(w * scale_w)),)


@rule("Depth2Space")
def _depth2space(node: Node) -> Shapes:
    bh, bw = node.integer("block_h"), node.integer("block_w")
    if not node.attrs.get("in_is_NCHW", True):
        n, h, w, c = shape_of(node)
        return ((n, h // bh, w // bw, c * bh * bw),)
    n, c, h, w = shape_of(node)
    if node.attrs.get("is_inversed"):
        return ((n, c * bh * bw, h // bh, w // bw),)
    return ((n, c // (bh * bw), h * bh, w * bw),)
