"""Work of both engines, op after op, and all stages as text."""

from __future__ import annotations

import pytest

from tests.backends.bm1684x.cases import together
from tpuc.backends.bm1684x import compile_graph, cycles_in_all, parts_of, plan_text

NAMES = ["conv 3x3, two rows of channels", "depthwise", "add in pieces", "matmul of many"]


@pytest.fixture(scope="module")
def graph():
    return together(NAMES)


def test_parts_are_all_work_in_order(graph) -> None:
    compiled = compile_graph(graph)
    parts = parts_of(compiled)
    assert sum(p.commands for p in parts) == sum(compiled.counts) - 2
    assert max(p.end for p in parts) == cycles_in_all(compiled)
    for engine in ("tiu", "dma"):
        mine = [p for p in parts if p.engine == engine]
        assert all(a.end <= b.start for a, b in zip(mine, mine[1:]))
    kinds = {p.name: p.kind for p in parts if p.engine == "tiu"}
    assert kinds[f"{NAMES[0]}/out"] == "conv" and kinds["depthwise/out"] == "window"
    assert {p.kind for p in parts if p.engine == "dma"} == {"load", "store"}


def test_every_stage_is_text(graph) -> None:
    text = "\n".join(plan_text(graph))
    assert text.index("global memory:") < text.index("local memory:") < text.index("schedule:")
    for name in NAMES:
        assert text.count(f"{name}/out") >= 3
    assert f"{cycles_in_all(compile_graph(graph))} cycles predicted" in text
