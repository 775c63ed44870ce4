"""Makes a Conv that takes a picture apart into patches one matrix product, where a processor does.

    Conv, kernel = strides, no padding, at most 3 channels
      -> Reshape `<name>_0` (N, C, rows, kh, columns, kw), Permutes `_1` and `_2`, Reshape `_3`
         (N, patches, C kh kw), MatMul `_6`, Permute `_7`, Reshape, or what stood behind it

One scale then serves the whole filter. Which kernels are meant is a fact of the processor
(`patch_sides`). The new ops have the type that a quantize table gives the Conv.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpuc.ir import Attr, Graph, Node, Value, with_defaults
from tpuc.processors import Processor

__all__ = ["patches_to_products"]

_CHANNELS = 3


def patches_to_products(graph: Graph, processor: Processor, origins: dict[str, str]) -> None:
    """Rewrite in place; `origins` gets the Conv's name for each new op."""
    if not processor.patch_sides:
        return
    for node in graph:
        if node.op == "Conv" and _takes_patches(node, processor.patch_sides):
            _rewrite(graph, node, origins)
    graph.remove_dead()


def _takes_patches(node: Node, sides: Sequence[int]) -> bool:
    source, kernel = node.inputs[0], node.ints("kernel_shape")
    weights = [v for v in node.inputs[1:] if v is not None]
    if source is None or len(source.shape) != 4 or not all(v.is_weight for v in weights):
        return False
    if any(node.ints("pads")) or any(d != 1 for d in node.attrs.get("dilations") or ()):  # type: ignore[union-attr]
        return False
    if node.ints("strides") != kernel or node.integer("group") != 1 or source.shape[1] > _CHANNELS:
        return False
    least, most = sides
    fits = min(kernel) >= least and (not most or max(kernel) <= most)
    return fits and not any(d % k for d, k in zip(source.shape[2:], kernel))


def _rewrite(graph: Graph, node: Node, origins: dict[str, str]) -> None:
    source = node.inputs[0]
    assert source is not None
    n, c, height, width = source.shape
    (kh, kw), (outputs, rows, columns) = node.ints("kernel_shape"), node.output.shape[1:]

    def add(op: str, number: int, value: Value, dims: tuple[int, ...], **attrs: Attr) -> Value:
        out = Value(f"{node.name}_{number}", dims)
        operands = [value] if op != "MatMul" else [value, *_weights(node)]
        graph.add(op, operands, [out], with_defaults(op, attrs), before=node)
        origins[out.name] = node.name
        return out

    apart = (n, c, rows, kh, columns, kw)
    x = add("Reshape", 0, source, apart, shape=apart)
    x = add("Permute", 1, x, (n, rows, kh, c, columns, kw), order=(0, 2, 3, 1, 4, 5))
    x = add("Permute", 2, x, (n, rows, columns, c, kh, kw), order=(0, 1, 4, 3, 2, 5))
    flat = (n, rows * columns, c * kh * kw)
    x = add("Reshape", 3, x, flat, shape=flat)
    relu = {key: node.attrs[key] for key in ("do_relu", "relu_limit")}
    x = add("MatMul", 6, x, (*flat[:2], outputs), **relu)
    turned = (n, outputs, rows * columns)
    _finish(graph, node, add("Permute", 7, x, turned, order=(0, 2, 1)))


def _weights(node: Node) -> list[Value | None]:
    filters = node.weight(1)
    flat = np.ascontiguousarray(filters.reshape(filters.shape[0], -1).T)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    return [Value(f"{node.name}_6_filter", flat.shape, data=flat), bias]


def _finish(graph: Graph, node: Node, patches: Value) -> None:
    """Give the Conv's readers its shape, or a Reshape that alone reads it what it asks for."""
    old = node.output
    readers, kept = old.users, any(old is v for v in graph.outputs)
    if len(readers) == 1 and readers[0].op == "Reshape" and not kept:
        reader = readers[0]
        ends = any(reader.output is v for v in graph.outputs)
        if reader.output.shape == patches.shape and not ends:
            graph.replace_uses(reader.output, patches)
        else:
            graph.set_input(reader, 0, patches)
        return
    out = Value(old.name, old.shape)
    attrs = with_defaults("Reshape", {"shape": old.shape})
    graph.add("Reshape", [patches], [out], attrs, before=node)
    graph.replace_uses(old, out)
