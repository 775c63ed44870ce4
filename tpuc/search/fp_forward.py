"""search=fp_forward: parts of a network that are float because the user names their borders.

    fpfwd_inputs   a, b       a, b and all ops before them
    fpfwd_outputs  a, b       a, b and all ops after them
    fpfwd_blocks   a,b:c,d    all ops on a way from a or b to c or d, both ends included

An Input is listed only where a named op reads it directly, as in TPU-MLIR's tables.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from tpuc.errors import ConfigError
from tpuc.ir import Graph, Node
from tpuc.processors import Processor
from tpuc.search.float_ops import FloatOp, float_mode

__all__ = ["fp_forward"]


def fp_forward(
    graph: Graph,
    inputs: Sequence[str],
    outputs: Sequence[str],
    blocks: Sequence[str],
    processor: Processor,
    fp_type: str = "auto",
) -> tuple[FloatOp, ...]:
    """Rows of all ops in the named parts, in program order.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Names of ops.
    blocks : sequence of str
        Each `starts:ends`, names joined by commas.

    Raises
    ------
    ConfigError : a name that the graph does not have, a block without one colon, a block in which
        a start reaches no end or no start reaches an end; a float type that the processor lacks
    """
    mode = float_mode(processor, fp_type)
    why: dict[Node, str] = {}
    for name in inputs:
        for node in _before(_find(graph, name, "fpfwd_inputs")):
            why.setdefault(node, f"fpfwd_inputs: at or before '{name}'")
    for name in outputs:
        for node in _after(_find(graph, name, "fpfwd_outputs")):
            why.setdefault(node, f"fpfwd_outputs: at or after '{name}'")
    for block in blocks:
        for node in _between(graph, block):
            why.setdefault(node, f"fpfwd_blocks: in {block}")
    return tuple(
        FloatOp(v.name, node.name, mode, "fp_forward", why[node])
        for node in graph.nodes
        if node in why
        for v in node.outputs
    )


def _find(graph: Graph, name: str, key: str) -> Node:
    for node in graph.nodes:
        if any(v.name == name for v in node.outputs):
            return node
    names = [v.name for v in graph.values()]
    near = difflib.get_close_matches(name, names, 3, 0.5)
    hint = f" Hint: {', '.join(near)}" if near else ""
    raise ConfigError(
        f"search.{key}: the model has no op '{name}'; expected a name in its .mlir.{hint}"
    )


def _before(start: Node) -> set[Node]:
    """The op and all it depends on, Inputs that others read left out."""
    direct = [v.producer for v in start.activations if v.producer is not None]
    found, waiting = {start, *direct}, list(direct)
    while waiting:
        for value in waiting.pop().activations:
            node = value.producer
            if node is not None and node not in found and node.activations:
                found.add(node)
                waiting.append(node)
    return found


def _after(start: Node) -> set[Node]:
    """The op and all that depends on it."""
    found, waiting = {start}, [start]
    while waiting:
        for value in waiting.pop().outputs:
            new = [user for user in value.users if user not in found]
            found.update(new)
            waiting += new
    return found


def _between(graph: Graph, block: str) -> set[Node]:
    if block.count(":") != 1 or not all(block.split(":")):
        raise ConfigError(
            f"search.fpfwd_blocks: '{block}'; expected starts:ends, names joined by commas. "
            "Hint: fpfwd_blocks=['conv_1,conv_2:conv_9']"
        )
    starts, ends = (
        [_find(graph, name.strip(), "fpfwd_blocks") for name in side.split(",")]
        for side in block.split(":")
    )
    after = {node: _after(node) for node in starts}
    for start in starts:
        if not after[start].intersection(ends):
            raise _unconnected(block, f"start {start} reaches none of its ends")
    for end in ends:
        if not any(end in reached for reached in after.values()):
            raise _unconnected(block, f"end {end} is reached from none of its starts")
    before = set().union(*map(_before, ends))
    return before.intersection(set().union(*after.values()))


def _unconnected(block: str, what: str) -> ConfigError:
    return ConfigError(
        f"search.fpfwd_blocks: '{block}': {what}; expected ends that depend on the starts. "
        "Hint: are start and end exchanged?"
    )
