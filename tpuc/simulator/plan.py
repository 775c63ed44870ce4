"""Buffers of a compiled graph: every image gets a place for as long as it is needed.

An image lives from the step that writes it to the last step that reads it. Images whose lives do
not meet share memory. Reshapes that keep every byte where it is are aliases and cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.ir import DType, Graph, Node, Value
from tpuc.kernels._int8 import View
from tpuc.kernels.image import Layout, Need, geometry, is_image, layout_of
from tpuc.simulator.image_kernel import ImageKernel

__all__ = [
    "Late",
    "Life",
    "Scratch",
    "alias_of",
    "allocate",
    "border_casts",
    "images_of",
    "last_reads",
    "place",
    "views_of",
]

Late = Mapping[str, Sequence[str]]
"""Names of values by the name of an op."""

_ALIGN = 64


@dataclass
class Life:
    """First and last step that touch an image of `size` bytes."""

    first: int
    last: int
    size: int


def alias_of(node: Node) -> Value | None:
    """The image that the node's output is another name of, if it is one."""
    if node.op not in ("Reshape", "Squeeze", "Unsqueeze", "Permute"):
        return None
    source = node.inputs[0]
    if source is None or source.is_weight or not is_image(source) or not is_image(node.output):
        return None
    before, after = geometry(source.shape), geometry(node.output.shape)
    assert before is not None and after is not None
    if node.op == "Permute" and (before[2:] != (1, 1) or node.ints("order")[:2] != (0, 1)):
        return None
    same = before == after and (node.op != "Reshape" or before[2:] == after[2:])
    return source if same and source.dtype == node.output.dtype else None


def place(lives: Mapping[str, Life]) -> tuple[dict[str, int], int]:
    """Offsets in bytes, and the size of the whole buffer: largest first, lowest free place."""
    offsets: dict[str, int] = {}
    total = 0
    placed: list[tuple[Life, int]] = []
    for name, life in sorted(lives.items(), key=lambda item: (-item[1].size, item[1].first)):
        busy = sorted(
            (start, start + other.size)
            for other, start in placed
            if other.first <= life.last and life.first <= other.last
        )
        at = 0
        for start, end in busy:
            if at + life.size <= start:
                break
            at = max(at, -(-end // _ALIGN) * _ALIGN)
        offsets[name] = at
        placed.append((life, at))
        total = max(total, at + life.size)
    return offsets, total


def _roots(graph: Graph) -> dict[str, str]:
    """Name of the image that holds each image value."""
    root: dict[str, str] = {}
    for node in graph.nodes:
        source = alias_of(node)
        for out in node.outputs:
            root[out.name] = root[source.name] if source is not None else out.name
    return root


def allocate(
    graph: Graph, kernels: Mapping[str, ImageKernel], images: set[str], late: Late
) -> tuple[dict[str, str], dict[str, Layout], dict[str, Life]]:
    """Roots, layouts and lives of the values named in `images`; `late`: what ops read besides."""
    root = _roots(graph)
    needs: dict[str, Need] = {}
    for kernel in kernels.values():
        first = root[kernel.inputs[0].name]
        needs[first] = needs.get(first, Need()).merge(kernel.need)
    layouts: dict[str, Layout] = {}
    lives: dict[str, Life] = {}
    for step, node in enumerate(graph.nodes):
        for value in node.outputs:
            if value.name in images and root[value.name] == value.name:
                layouts[value.name] = layout_of(value, needs.get(value.name, Need()))
                lives[value.name] = Life(step, step, layouts[value.name].size)
        for name in _touched(node, late):
            if name in images:
                lives[root[name]].last = step
    return root, layouts, lives


class Scratch:
    """One buffer for machines that never run at the same time; it grows as needed."""

    def __init__(self) -> None:
        self._buffer = np.zeros(0, np.uint8)

    def take(self, size: int) -> np.ndarray:
        """At least `size` bytes, aligned to 64; what they hold is of no account."""
        if self._buffer.size < size:
            raw = np.zeros(size + _ALIGN, np.uint8)
            start = -raw.ctypes.data % _ALIGN
            self._buffer = raw[start : start + size]
        return self._buffer


def views_of(
    root: Mapping[str, str],
    layouts: Mapping[str, Layout],
    lives: Mapping[str, Life],
    scratch: Scratch,
) -> dict[str, View]:
    """A view for every image value, in one buffer."""
    offsets, total = place(lives)
    buffer = scratch.take(total)
    views = {name: layout.view(buffer, offsets[name]) for name, layout in layouts.items()}
    return {name: views[holder] for name, holder in root.items() if holder in views}


def border_casts(graph: Graph, kernels: Mapping[str, ImageKernel]) -> set[str]:
    """Casts between a plain array and an image: no other kernel has the plain side as an image."""
    read = {
        v.name
        for node in graph.nodes
        if node.op != "Cast" and node.name in kernels
        for v in kernels[node.name].inputs
    }
    inputs = {v.name for v in graph.inputs}
    found: set[str] = set()
    for node in graph.nodes:
        if node.op == "Cast" and node.name in kernels:
            source, out = node.activations[0], node.output
            loads = source.name in inputs and source.dtype == DType.F32 and out.dtype.bits != 4
            loads &= not out.dtype.is_float8
            if (loads and source.name not in read) or not (out.users or source.dtype.is_float8):
                found.add(node.name)
    return found


def _touched(node: Node, late: Late) -> list[str]:
    values = (*node.activations, *node.outputs)
    return [*(v.name for v in values), *late.get(node.name, ())]


def last_reads(graph: Graph, late: Late) -> list[list[str]]:
    """Values that nobody reads after each step; `late`: what ops read besides their operands."""
    last: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        last.update(dict.fromkeys(_touched(node, late), index))
    dead: list[list[str]] = [[] for _ in graph.nodes]
    for name, index in last.items():
        dead[index].append(name)
    return dead


def images_of(graph: Graph, kernels: Mapping[str, ImageKernel], heads: Late) -> set[str]:
    """Values that lie in the image buffer: results of C kernels and whatever those read.

    Parameters
    ----------
    heads : Late
        What heads of attention read, by the name of their result; x comes first.
    """
    images: set[str] = set()
    for node in graph.nodes:
        if node.name in kernels:
            images.update(v.name for v in kernels[node.name].inputs)
            images.add(node.name)
        elif node.name in heads:
            images.update((heads[node.name][0], node.name))
    for node in graph.nodes:  # an alias of an image is an image
        source = alias_of(node)
        if source is not None and source.name in images:
            images.add(node.name)
    for node in reversed(graph.nodes):  # and so is what an image is an alias of
        source = alias_of(node)
        if source is not None and node.name in images:
            images.add(source.name)
    for node in graph.nodes:
        source = alias_of(node)
        if source is not None and source.name in images:
            images.add(node.name)
    return images
