"""Global memory: only what is stored or loaded has a place, and shares it only when it may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.backends.bm1684x.cases import together
from tests.backends.bm1684x.running import run_here
from tests.golden import networks
from tpuc.backends.bm1684x import compile_graph, decode_stream
from tpuc.backends.bm1684x.allocate import place
from tpuc.backends.bm1684x.command import GLOBAL
from tpuc.backends.bm1684x.emitter import NEURONS
from tpuc.backends.bm1684x.meaning import check_meaning
from tpuc.backends.bm1684x.memory import moved, plan_memory
from tpuc.backends.bm1684x.placing import emit_graph
from tpuc.calibration import table as table_text
from tpuc.errors import ArtifactError
from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.lowering import lower
from tpuc.simulator import Program


@pytest.fixture(scope="module")
def network(golden, bm1684x):
    table = table_text.read(networks.table_file("mobilenet_v2"))
    return lower(golden("mobilenet_v2"), table, bm1684x).graph


def test_what_stays_in_local_memory_has_no_place(network) -> None:
    every = plan_memory(network)
    emitter, _, plan = emit_graph(network, every)
    stays = {every.roots[name] for name in emitter.kept.values()}
    assert len(stays) > 40
    assert not stays & set(plan.addresses)
    assert {v.name for v in (*network.inputs, *network.outputs)} <= set(plan.addresses)
    assert plan.size < every.size / 10


def test_places_are_those_that_commands_touch(network) -> None:
    for in_parts in (False, True):
        _, placed, plan = emit_graph(network, plan_memory(network), in_parts)
        starts = {at for name, at in plan.addresses.items() if name not in plan.aliases}
        touched = set()
        for command in placed.commands:
            for side in "sr":
                address = command.fields.get(f"{side}_low", 0)
                address |= command.fields.get(f"{side}_high", 0) << 32
                if address >= NEURONS:
                    assert address < NEURONS + plan.size
                    touched.add(max(at for at in starts if at <= address))
                else:
                    assert address < GLOBAL << 1
        assert touched == starts


def _joined() -> Graph:
    """Three results joined twice over: ((a, b), c); a is read by another op, too."""
    graph = Graph("joined", "tpu")
    source = Value("in", (1, 4, 6, 10))
    graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
    made = {}
    for name, before in (("q", "in"), ("a", "q"), ("b", "a"), ("c", "q")):
        made[name] = Value(name, source.shape, DType.SI8, QuantType(1.0))
        op = "Cast" if name == "q" else "Relu"
        graph.add(op, [made.get(before, source)], [made[name]], with_defaults(op, {}, "tpu"))
    for name, parts in (("ab", ("a", "b")), ("abc", ("ab", "c"))):
        channels = sum(made[p].shape[1] for p in parts)
        made[name] = Value(name, (1, channels, 6, 10), DType.SI8, QuantType(1.0))
        attrs = with_defaults("Concat", {"axis": 1}, "tpu")
        graph.add("Concat", [made[p] for p in parts], [made[name]], attrs)
    last = Value("last", made["abc"].shape, DType.SI8, QuantType(1.0))
    graph.add("Relu", [made["abc"]], [last], with_defaults("Relu", {}, "tpu"))
    graph.outputs = [last]
    return graph


def test_what_is_only_joined_is_made_in_its_place() -> None:
    graph = _joined()
    plan = plan_memory(graph)
    at = {name: place - plan.addresses["abc"] for name, place in plan.addresses.items()}
    assert (at["ab"], at["b"], at["c"]) == (0, 240, 480)
    assert plan.roots["b"] == plan.roots["c"] == "abc" and plan.roots["a"] == "a"
    compiled = compile_graph(graph)
    copies = [c for c in decode_stream(compiled.dma, "dma") if c["s_high"] and c["r_high"]]
    assert len(copies) == 1  # of a alone
    feeds = {"in": np.arange(-120.0, 120.0, dtype=np.float32).reshape(1, 4, 6, 10)}
    (found,) = run_here(graph, compiled, feeds).values()
    np.testing.assert_array_equal(found, Program(graph).run(feeds, raw=True)["last"])


def test_tensors_share_what_is_free(network) -> None:
    """In parts every op goes through global memory; two neighbours live at a time, or a branch."""
    every = plan_memory(network)
    plan = emit_graph(network, every, in_parts=True)[2]
    assert plan.size < every.size / 4


def test_a_place_given_away_too_early_is_caught() -> None:
    """A result on top of an operand that is still to be read."""
    graph = together(["conv 3x3, two rows of channels", "add in pieces", "concat"])
    every = plan_memory(graph)
    emitter, _, plan = emit_graph(graph, every, in_parts=True)
    shift = {every.addresses[n]: plan.addresses[n] for n in plan.addresses}
    starts = sorted(shift)

    def check(places: dict[int, int]) -> None:
        def new_place(address: int) -> int:
            start = max(s for s in starts if s <= address)
            return address - start + places[start]

        commands = [moved(c, new_place) for c in emitter.commands]
        placed = place(commands, emitter.sizes)
        check_meaning(emitter.commands, placed)

    check(shift)
    joined = next(n for n in graph.nodes if n.op == "Concat")
    source, target = joined.activations[1].name, joined.output.name
    with pytest.raises(ArtifactError, match="reads what commands"):
        check({**shift, every.addresses[target]: shift[every.addresses[source]]})


def test_an_unfit_order_is_caught_by_places_alone() -> None:
    graph = together(["add in pieces"])
    emitter, placed, _ = emit_graph(graph, plan_memory(graph), in_parts=True)
    check_meaning(emitter.commands, placed)
    commands = [replace(c) for c in placed.commands]
    stores = [i for i, c in enumerate(commands) if c.engine == "dma" and c.fields["r_high"]]
    first, second = (commands[i].fields for i in stores[:2])
    wrong = {**second, "r_low": first["r_low"], "r_high": first["r_high"]}
    commands[stores[1]] = replace(commands[stores[1]], fields=wrong)
    with pytest.raises(ArtifactError, match="reads what commands"):
        check_meaning(emitter.commands, replace(placed, commands=tuple(commands)))
