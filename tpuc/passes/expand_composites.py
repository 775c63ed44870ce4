"""Rewrites ops that have a plainer spelling in TPU-MLIR's canonical form.

1. Flatten is Reshape.                     5. Expand is Tile.
2. Split is one Slice per output.          6. A pool's ceil_mode and auto_pad become pads.
3. ReduceMean/Max over H, W is a pool.     7. Nearest Interp by integers is Upsample.
4. Gather of one position is Slice and Squeeze.
"""

from __future__ import annotations

import sys

from tpuc.errors import Skip
from tpuc.ir import Attr, Graph, Node, Value, with_defaults
from tpuc.ir.shapes import infer_shapes
from tpuc.passes.edit import replace_node
from tpuc.passes.result import PassResult

__all__ = ["run"]

_LARGEST = 2**31 - 1024
"""Bounds beyond it are cut: TPU-MLIR holds them as float32 before it makes them int32."""

_END = sys.maxsize
"""What TPU-MLIR writes for "to the end" of an axis that a Split or Gather leaves alone."""


def run(graph: Graph) -> PassResult:
    """Apply all seven rules once to every node."""
    count = 0
    skips: list[Skip] = []
    rules = {
        "Flatten": _flatten,
        "Split": _split,
        "Reduce": _reduce,
        "Gather": _gather,
        "Expand": _expand,
        "AvgPool": _window_pads,
        "MaxPool": _window_pads,
        "Conv": _window_pads,
        "Interp": _interp,
        "Slice": _slice,
    }
    for node in graph:
        rule = rules.get(node.op)
        done = rule(graph, node) if rule else False
        if isinstance(done, Skip):
            skips.append(done)
        else:
            count += done
    return PassResult(count, tuple(skips))


def _flatten(graph: Graph, node: Node) -> bool:
    attrs = {"shape": node.output.shape, "flatten_start_dim": node.attrs["start_dim"]}
    replace_node(graph, node, "Reshape", node.inputs, attrs)
    return True


def _slice_attrs(rank: int, axis: int, start: int, end: int) -> dict[str, Attr]:
    return {
        "offset": tuple(start if i == axis else 0 for i in range(rank)),
        "ends": tuple(end if i == axis else _END for i in range(rank)),
        "steps": (1,) * rank,
        "hasparamConvert_axes": (axis,),
    }


def _split(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    assert source is not None
    rank = len(source.shape)
    axis = node.integer("axis") % rank
    start = 0
    for out in node.outputs:
        end = start + out.shape[axis]
        attrs = with_defaults("Slice", _slice_attrs(rank, axis, start, end))
        if out.uses or any(out is v for v in graph.outputs):
            part = Value(out.name, out.shape)
            graph.add("Slice", [source, None, None, None], [part], attrs, before=node)
            graph.replace_uses(out, part)
        start = end
    graph.remove(node)
    return True


def _slice(graph: Graph, node: Node) -> bool:
    """Write offset, steps and ends for every axis; bounds stay as they are given.

    Where steps are negative the bounds become positive numbers.
    """
    axes = node.ints("axes")
    if not axes:
        return False
    source = node.inputs[0]
    assert source is not None
    rank = len(source.shape)
    full = [[0] * rank, [1] * rank, list(source.shape)]
    for i, axis in enumerate(axes):
        size = source.shape[int(axis)]
        start, step, end = (int(node.attrs[k][i]) for k in ("offset", "steps", "ends"))  # type: ignore[index]
        low, high, _ = slice(start, end, step).indices(size)
        if step > 0:
            low, high = start, min(end, _LARGEST)
        elif high < 0:
            high = -size - 1
        full[0][int(axis)], full[1][int(axis)], full[2][int(axis)] = low, step, high
    node.attrs.update(
        axes=(),
        hasparamConvert_axes=axes,
        offset=tuple(full[0]),
        steps=tuple(full[1]),
        ends=tuple(full[2]),
    )
    return True


def _reduce(graph: Graph, node: Node) -> bool | Skip:
    source = node.inputs[0]
    assert source is not None
    op = {"ReduceMean": "AvgPool", "ReduceMax": "MaxPool"}.get(node.text("mode"))
    if op is None or len(source.shape) != 4:
        return False
    if node.attrs["axes"] != (2, 3):
        return Skip(
            f"{node}: reduces axes {node.attrs['axes']}, not height and width", (node.name,)
        )
    attrs: dict[str, Attr] = {
        "kernel_shape": source.shape[2:],
        "strides": (1, 1),
        "pads": (0, 0, 0, 0),
        "count_include_pad": True,
        "keepdims": node.flag("keepdims"),
    }
    replace_node(graph, node, op, [source], attrs)
    return True


def _gather(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    assert source is not None
    if node.attrs["keepdims"]:
        return False
    rank = len(source.shape)
    axis = node.integer("axis") % rank
    index = int(node.weight(1).reshape(-1)[0])
    shape = tuple(1 if i == axis else d for i, d in enumerate(source.shape))
    part = Value(f"{node.name}_slice", shape)
    attrs = with_defaults("Slice", _slice_attrs(rank, axis, index, index + 1))
    graph.add("Slice", [source, None, None, None], [part], attrs, before=node)
    replace_node(graph, node, "Squeeze", [part], {"axes": (axis,)})
    return True


def _expand(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    assert source is not None
    if len(source.shape) != len(node.output.shape):
        shape = (1,) * (len(node.output.shape) - len(source.shape)) + source.shape
        wide = Value(f"{node.name}_reshape", shape)
        attrs = with_defaults("Reshape", {"shape": shape})
        graph.add("Reshape", [source], [wide], attrs, before=node)
        source = wide
    if source.shape == node.output.shape:
        graph.replace_uses(node.output, source)
        graph.remove(node)
        return True
    tile = tuple(o // s for o, s in zip(node.output.shape, source.shape))
    replace_node(graph, node, "Tile", [source], {"tile": tile})
    return True


def _window_pads(graph: Graph, node: Node) -> bool:
    node.attrs.pop("auto_pad", None)
    if not node.attrs.pop("ceil_mode", False):
        return False
    source = node.inputs[0]
    assert source is not None
    kernel, strides, pads = (node.ints(k) for k in ("kernel_shape", "strides", "pads"))
    rank = len(kernel)
    space, out = source.shape[2:], node.output.shape[2:]
    ends = [
        max(0, (out[i] - 1) * int(strides[i]) + int(kernel[i]) - space[i] - int(pads[i]))
        for i in range(rank)
    ]
    node.attrs["pads"] = (*pads[:rank], *ends)
    assert infer_shapes(node)[0] == node.output.shape
    return True


def _from_torch(graph: Graph) -> bool:
    """Nearest in TorchScript rounds down, whatever its coordinate mode is called."""
    return graph.attrs.get("platform") == "TORCH"


def _interp(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    assert source is not None
    out = node.output.shape
    factors = out[2] / source.shape[2], out[3] / source.shape[3]
    whole = all(f == int(f) and f >= 1 for f in factors)
    floor = ("asymmetric", "pytorch_half_pixel" if _from_torch(graph) else "asymmetric")
    nearest = node.attrs["mode"] == "nearest" and node.attrs["coord_mode"] in floor
    if nearest and whole:
        attrs = {"scale_h": int(factors[0]), "scale_w": int(factors[1])}
        replace_node(graph, node, "Upsample", [source], attrs)
        return True
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        graph.set_inputs(node, [source, None])
        node.attrs["scale_h"], node.attrs["scale_w"] = factors
        return True
    return False
