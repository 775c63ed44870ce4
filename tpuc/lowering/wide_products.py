"""Which MatMuls of an INT8 build give 16 bits."""

from __future__ import annotations

from collections.abc import Callable

from tpuc.ir import Graph
from tpuc.processors import Processor

__all__ = ["wide_products"]


def wide_products(
    graph: Graph, processor: Processor, is_float: Callable[[str], bool]
) -> frozenset[str]:
    """Names of MatMuls whose one reader is an Add or a Softmax that the table makes float.

    Parameters
    ----------
    is_float : function of an op's name
        Whether the quantize table names it, with a float type.
    """
    if not processor.wide_products:
        return frozenset()
    kept = {id(value) for value in graph.outputs}
    found = set()
    for node in graph.nodes:
        if node.op != "MatMul" or node.flag("do_relu") or id(node.output) in kept:
            continue
        readers = [user for user, _ in node.output.uses]
        if len(readers) == 1 and readers[0].op in ("Add", "Softmax") and is_float(readers[0].name):
            found.add(node.name)
    return frozenset(found)
