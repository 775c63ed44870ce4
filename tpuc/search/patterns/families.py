"""Which family a network belongs to, and so which ops are float.

The first block that occurs in program order decides the family; the family's rules then walk over
the whole network. Nothing but types and order is looked at: neither weights nor data.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpuc.ir import Graph
from tpuc.processors import Processor
from tpuc.search.float_ops import float_mode, tail_mode
from tpuc.search.part_quantize import PartQuantize
from tpuc.search.patterns import openclip, rtdetr, transformer, yolo
from tpuc.search.patterns.blocks import BLOCKS, CLIP_BLOCKS, expand, word
from tpuc.search.patterns.matched import Matched
from tpuc.search.patterns.program import Program
from tpuc.search.patterns.rows import Rows

__all__ = ["match"]


@dataclass(frozen=True)
class _Found:
    """A network, the block that occurs in it, and the float types to give."""

    program: Program
    block: str
    count: int
    messages: tuple[str, ...]
    kept: dict[str, str]
    mode: str
    tail_mode: str
    precise_mode: str


def match(
    graph: Graph, processor: Processor, fp_type: str = "auto", part: PartQuantize | None = None
) -> Matched:
    """Find the float ops of a known family, and those of types that `part` does not quantize.

    Parameters
    ----------
    fp_type : str
        Float type of all rows; auto: as the processor mixes it with integers.

    Raises
    ------
    ConfigError : the processor does not mix `fp_type` with integers
    """
    program = Program.of(graph)
    kept = part.float_ops((op.name, op.type) for op in program.ops) if part else {}
    block, counts = _first_block(program)
    messages = tuple(_message(n, count) for n, count in counts.items())
    mode, tail = float_mode(processor, fp_type), tail_mode(processor, fp_type)
    count = min(counts.values(), default=0)
    precise = "F32" if "F32" in processor.mix_types else mode
    found = _Found(program, block, count, messages, kept, mode, tail, precise)
    if block in ("yolo_block", "yolo_block_12"):
        return _yolo(found)
    if block == "rtdetrv2_block":
        return _rtdetr(found)
    if block == "vf_attention_block":
        return _symmetric(found)
    rows = Rows(block, kept)
    if block == "openclip_block":
        openclip.apply(program, rows)
    elif block:
        transformer.apply(program, transformer.FAMILIES[block], count, rows)
    return Matched(block, count, rows.float_ops(program, mode), messages=messages)


def _first_block(program: Program) -> tuple[str, dict[str, int]]:
    """Name of the family, and how often its block, or each of its blocks, occurs."""
    for name, block in BLOCKS.items():
        if count := program.joined.count(word(block)):
            return name, {name: count}
    clip = openclip.counts(program)
    return ("openclip_block", clip) if clip else ("", {})


def _message(name: str, count: int) -> str:
    types = [f"top.{t}" for t in expand((BLOCKS | CLIP_BLOCKS)[name])]
    return f"{types} (Name: {name}) is a subset of the main list. Count: {count}"


def _yolo(found: _Found) -> Matched:
    program, block = found.program, found.block
    head, rows = Rows(block), Rows(block, found.kept)
    two_stages = yolo.has_two_stages(program)
    if two_stages and not yolo.branches(program, head):
        return Matched(block, found.count, messages=found.messages)
    yolo.tail(program, rows)
    if not two_stages:
        pattern = rows.float_ops(program, found.mode)
        return Matched(block, found.count, pattern, messages=found.messages)
    tail = rows.float_ops(program, found.tail_mode, "tail")
    late = {op.name for op in tail}
    pattern = tuple(op for op in head.float_ops(program, found.mode) if op.name not in late)
    return Matched(block, found.count, pattern, tail, messages=found.messages)


def _rtdetr(found: _Found) -> Matched:
    rows, precise, more = rtdetr.select(found.program, found.block)
    return Matched(
        found.block,
        found.count,
        rows.float_ops(found.program, found.mode),
        precise=precise.float_ops(found.program, found.precise_mode, "precise"),
        messages=found.messages + more,
    )


def _symmetric(found: _Found) -> Matched:
    block, ops = expand(BLOCKS[found.block]), found.program.ops
    names: dict[str, None] = {}
    for i in range(len(ops) - len(block) + 1):
        window = ops[i : i + len(block)]
        if tuple(op.type for op in window) == block:
            names |= dict.fromkeys(op.name for op in window)
    return Matched(found.block, found.count, symmetric=tuple(names), messages=found.messages)
