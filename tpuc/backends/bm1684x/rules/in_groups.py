"""Ops of groups of channels: one part each, which is all there is where only one group is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from tpuc.backends.bm1684x.emitter import Emitter, NoRoom
from tpuc.backends.bm1684x.rules.rule import InBands, Rule
from tpuc.ir import Node

__all__ = ["in_groups", "only_part"]

_Part = TypeVar("_Part")


def only_part(node: Node, parts: Iterator[_Part]) -> _Part:
    """The part of an op of one group.

    Raises
    ------
    NoRoom : there are several
    """
    first, *more = parts
    if more:
        raise NoRoom(f"{node}: its groups are computed one by one")
    return first


def in_groups(
    covers: Callable[[Node], str | None],
    parts_of: Callable[[Emitter, Node], Iterator[_Part]],
    emit_part: Callable[[Emitter, Node, _Part], None],
    whole: Callable[[Emitter, Node, _Part, bool], None],
    in_bands: InBands | None = None,
) -> Rule:
    """A rule that emits part after part, or the only one where its operand is."""

    def emit(e: Emitter, node: Node) -> None:
        for part in parts_of(e, node):
            emit_part(e, node, part)

    def at_once(e: Emitter, node: Node, stays: bool) -> None:
        whole(e, node, only_part(node, parts_of(e, node)), stays)

    return Rule(covers, emit, at_once, in_bands)
