"""Graph[tpu] to instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tpuc.backends.bm1684x.allocate import Placed
from tpuc.backends.bm1684x.check import check_streams
from tpuc.backends.bm1684x.command import GLOBAL, up
from tpuc.backends.bm1684x.decode import decode_stream
from tpuc.backends.bm1684x.emitter import NEURONS, Emitter
from tpuc.backends.bm1684x.encode import encode_stream
from tpuc.backends.bm1684x.folding_casts import fold_casts
from tpuc.backends.bm1684x.meaning import check_meaning
from tpuc.backends.bm1684x.memory import Plan, moved, plan_memory
from tpuc.backends.bm1684x.placing import emit_graph
from tpuc.backends.bm1684x.rules import rule_of
from tpuc.backends.bm1684x.schedule import schedule
from tpuc.errors import Skip, UnsupportedError
from tpuc.ir import DType, Graph, Node

__all__ = ["Compiled", "compile_graph", "prepared", "why_not"]

_PAGE = 4096
_MOST_WEIGHTS = 1 << 32
_PLAIN = (DType.F32, DType.F16, DType.BF16, DType.SI8, DType.UI8, DType.SI16, DType.SI32)


@dataclass(frozen=True)
class Compiled:
    """Instructions of a network, and the memory that they expect.

    Parameters
    ----------
    tiu, dma : bytes
        Streams, ends and padding included.
    counts : (int, int)
        Commands of `tiu` and `dma`, ends included.
    coefficients : bytes
        From the start of global memory; a multiple of 4096.
    places : tuple of (name, offset, size)
        What lies in them.
    context : (int, int)
        Address and bytes of the tensors.
    addresses : mapping of value name to int
    notes : (tuple of str, tuple of str)
        For each command of both streams the tensor that it is made for.
    """

    tiu: bytes
    dma: bytes
    counts: tuple[int, int]
    coefficients: bytes
    places: tuple[tuple[str, int, int], ...]
    context: tuple[int, int]
    addresses: Mapping[str, int]
    notes: tuple[tuple[str, ...], tuple[str, ...]]


def why_not(graph: Graph) -> Skip | None:
    """Which ops have no instructions here, and why; None when all have."""
    reasons = {}
    for node in graph.nodes:
        reason = _why_not_node(node)
        if reason:
            reasons[node.name] = f"{node}: {reason}"
    if not reasons:
        return None
    first = next(iter(reasons.values()))
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return Skip(f"{first}{more}", tuple(reasons))


def _why_not_node(node: Node) -> str | None:
    if node.op == "Input":
        return None if node.output.dtype in _PLAIN else f"is {node.output.dtype}"
    rule = rule_of(node)
    if rule is None:
        return "has no instructions"
    for value in (*node.activations, *node.outputs):
        if value.quant is not None and value.quant.zero_point:
            return f"tensor '{value.name}' has zero point {value.quant.zero_point}"
    if len(node.outputs) != 1 or not node.activations:
        return f"has {len(node.outputs)} results, {len(node.activations)} computed operands"
    return rule.covers(node)


def prepared(graph: Graph) -> Graph:
    """The network whose ops become commands: casts are folded where the ops before them allow."""
    folded = fold_casts(graph)
    return folded if why_not(folded) is None else graph


def compile_graph(graph: Graph, in_parts: bool = False) -> Compiled:
    """Select, schedule, encode, and prove the synchronisation of what came out.

    Parameters
    ----------
    in_parts : bool
        Keep nothing in local memory between ops: slower, but simple to follow.

    Raises
    ------
    UnsupportedError : an op is not covered, or too large for local memory
    ArtifactError : a value does not fit its field
    """
    missing = why_not(graph)
    if missing is not None:
        raise UnsupportedError(f"{missing.reason}. Hint: ask `why_not` first")
    _check_weights(graph)
    graph = prepared(graph)
    emitter, placed, plan = emit_graph(graph, plan_memory(graph), in_parts)
    check_meaning(emitter.commands, placed)
    coefficients = bytes(emitter.coefficients)
    coefficients += bytes(up(len(coefficients), _PAGE) - len(coefficients))
    if len(coefficients) >= _MOST_WEIGHTS:
        raise UnsupportedError(
            f"net '{graph.name}': has {len(coefficients)} bytes of coefficients; expected less "
            f"than {_MOST_WEIGHTS}. Hint: fewer weights"
        )
    return _encoded(graph, plan, (emitter, placed), coefficients)


def _check_weights(graph: Graph) -> None:
    """Fail before weights are packed that no address can reach."""
    sizes = {
        f"{node}": sum(v.size * v.dtype.bits // 8 for v in node.inputs if v and v.is_weight)
        for node in graph.nodes
    }
    if sum(sizes.values()) >= _MOST_WEIGHTS:
        most = max(sizes, key=lambda name: sizes[name])
        raise UnsupportedError(
            f"{most}: has {sizes[most]} bytes of weights, all ops {sum(sizes.values())}; expected "
            f"less than {_MOST_WEIGHTS} in all. Hint: a shorter type in quantize, fewer weights"
        )


def _encoded(
    graph: Graph, plan: Plan, emitted: tuple[Emitter, Placed], coefficients: bytes
) -> Compiled:
    emitter, placed = emitted
    base = GLOBAL + len(coefficients)
    plain = schedule(moved(c, lambda at: at - NEURONS + base) for c in placed.commands)
    tiu = encode_stream(plain.tiu, plain.tiu_waits, "tiu")
    dma = encode_stream(plain.dma, plain.dma_waits, "dma")
    addresses = {name: at - NEURONS + base for name, at in plan.addresses.items()}
    given = [(GLOBAL, base)]
    for value in graph.inputs:
        size = value.size * value.dtype.bits // 8
        given.append((addresses[value.name], addresses[value.name] + size))
    check_streams(decode_stream(tiu, "tiu"), decode_stream(dma, "dma"), given)
    return Compiled(
        tiu,
        dma,
        (len(plain.tiu) + 1, len(plain.dma) + 1),
        coefficients,
        tuple(emitter.places),
        (base, plan.size),
        addresses,
        (tuple(c.note for c in plain.tiu), tuple(c.note for c in plain.dma)),
    )
