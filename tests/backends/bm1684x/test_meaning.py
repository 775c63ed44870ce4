"""The order of the streams computes what the ops say, and what does not is caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.backends.bm1684x.cases import together
from tpuc.backends.bm1684x.allocate import Placed, resolved
from tpuc.backends.bm1684x.emitter import Emitter
from tpuc.backends.bm1684x.meaning import check_meaning
from tpuc.backends.bm1684x.memory import plan_memory
from tpuc.backends.bm1684x.placing import emit_graph
from tpuc.errors import ArtifactError

NAMES = ["conv in tiles of rows", "depthwise in tiles", "add in pieces", "lut", "concat"]


@pytest.fixture(scope="module")
def emitted() -> tuple[Emitter, Placed]:
    graph = together(NAMES)
    return emit_graph(graph, plan_memory(graph))[:2]


def test_loads_come_early_and_mean_the_same(emitted) -> None:
    emitter, placed = emitted
    check_meaning(emitter.commands, placed)
    assert list(placed.order) != sorted(placed.order)


def test_swapped_commands_are_caught(emitted) -> None:
    """Two neighbours of which one reads what the other writes."""
    emitter, placed = emitted
    rng = np.random.default_rng(0)
    caught = 0
    for at in rng.integers(0, len(placed.order) - 1, 60):
        order, commands = list(placed.order), list(placed.commands)
        for some in (order, commands):
            some[at], some[at + 1] = some[at + 1], some[at]
        try:
            check_meaning(emitter.commands, replace(placed, order=order, commands=commands))
        except ArtifactError:
            caught += 1
    assert caught > 20


def test_a_load_before_its_source_is_caught(emitted) -> None:
    emitter, placed = emitted
    commands = placed.commands
    late = [i for i, c in enumerate(commands) if c.kind == "dma" and c.note == "concat/out"]
    order = list(placed.order)
    order.insert(0, order.pop(late[-1]))
    moved = [commands[late[-1]], *(c for i, c in enumerate(commands) if i != late[-1])]
    with pytest.raises(ArtifactError, match="reads what commands"):
        check_meaning(emitter.commands, replace(placed, order=order, commands=moved))


def test_buffers_that_share_bytes_too_early_are_caught(emitted) -> None:
    emitter, placed = emitted
    caught = 0
    for number, start in placed.addresses.items():
        if start < 64 * 200:
            continue
        shifted = {**placed.addresses, number: start - 64 * 200}
        commands = tuple(_moved(emitter, placed, i, shifted) for i in placed.order)
        try:
            check_meaning(emitter.commands, replace(placed, addresses=shifted, commands=commands))
        except ArtifactError:
            caught += 1
    assert caught > 5


def _moved(emitter: Emitter, placed: Placed, index: int, addresses):
    return resolved(emitter.commands[index], addresses)


def test_a_lost_command_is_caught(emitted) -> None:
    emitter, placed = emitted
    short = replace(placed, order=placed.order[:-1], commands=placed.commands[:-1])
    with pytest.raises(ArtifactError, match="missing"):
        check_meaning(emitter.commands, short)
