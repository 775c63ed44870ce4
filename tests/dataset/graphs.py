"""Graphs that only have inputs."""

from __future__ import annotations

from tpuc.frontend import Preprocess, attach_preprocess
from tpuc.ir import Graph, Value, with_defaults


def input_graph(shapes: dict[str, tuple[int, ...]], preprocess: Preprocess | None = None) -> Graph:
    """A graph with these inputs, ready for pictures if a preprocessing is given."""
    graph = Graph("net")
    for name, shape in shapes.items():
        graph.add("Input", [], [Value(name, shape)], with_defaults("Input", {}))
    if preprocess is not None:
        attach_preprocess(graph, preprocess)
    return graph
