"""Ops on processors that requantize in two steps and look functions up in BF16 tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.golden.mixed_cases import digest
from tests.golden.weights import made_input
from tpuc.artifacts import CalibrationTable, Range
from tpuc.calibration import table as table_text
from tpuc.errors import ConfigError
from tpuc.ir import Graph, Value, with_defaults
from tpuc.ir.text_parse import load_mlir
from tpuc.kernels.casts import to_float32
from tpuc.lowering import lower
from tpuc.processors import Processor, load_processor
from tpuc.simulator import Program, interpret

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "qdm"
FEED = {"x": made_input(0, (1, 3, 16, 16)) * 4 - 2}
NOT_OURS = {"turned_Transpose", "turned_Transposematrices_MatMul_bf16"}
"""A Permute that is part of the MatMul here."""


@pytest.fixture(scope="module")
def cv183x() -> Processor:
    return load_processor(yaml.safe_load((ROOT / "conf" / "processor" / "cv183x.yaml").read_text()))


@pytest.fixture(scope="module", params=["ops INT8", "ops BF16", "resizing INT8", "resizing BF16"])
def build(request, cv183x) -> tuple[Graph, dict[str, str]]:
    name, mode = request.param.split()
    table = table_text.read(GOLDEN / f"{name}_table") if mode == "INT8" else None
    graph = lower(load_mlir(GOLDEN / f"{name}.mlir"), table, cv183x, mode).graph
    expected = json.loads((GOLDEN / f"{name}_{mode}.json").read_text())
    return graph, {k: d for k, d in expected.items() if k not in NOT_OURS}


def test_every_tensor_of_the_reference_kernels_is_tpu_mlirs(build) -> None:
    graph, expected = build
    stored = interpret(graph, FEED)
    values = {v.name: v for v in graph.values()}
    wrong = [k for k, d in expected.items() if digest(to_float32(stored[k], values[k])) != d]
    assert wrong == []


@pytest.mark.parametrize("threads", [1, 2])
def test_every_tensor_of_the_compiled_program_is_tpu_mlirs(build, threads: int) -> None:
    graph, expected = build
    batch = {"x": np.concatenate([FEED["x"], FEED["x"][:, :, ::-1]])}
    found = Program(graph, threads).run(batch, observe=list(expected))
    assert [k for k, d in expected.items() if digest(found[k][:1]) != d] == []


def _of_two(op: str, thresholds: tuple[float, float, float], processor: Processor) -> Graph:
    graph = Graph("net", "top")
    sources = []
    for name in ("x", "y"):
        sources.append(Value(name, (1, 4, 2, 2)))
        graph.add("Input", [], [sources[-1]], with_defaults("Input", {}))
    out = Value("z", (1, 4, 2, 2))
    graph.add(op, sources, [out], with_defaults(op, {}))
    graph.outputs = [out, sources[0], sources[1]]
    ranges = {name: Range(t, -t, t) for name, t in zip("xyz", thresholds)}
    return lower(graph, CalibrationTable(ranges), processor).graph


def test_terms_share_a_shift(cv183x) -> None:
    """q = 1 / 2, 1 / 8: r = 7, m = 64, 16."""
    node = next(n for n in _of_two("Add", (2.0, 0.5, 4.0), cv183x).nodes if n.op == "Add")
    assert (node.attrs["multipliers"], node.attrs["rshifts"]) == ((64, 16), (7,))


def test_an_extremum_compares_real_numbers(cv183x) -> None:
    """Operands with other ranges than the result are scaled before they are compared."""
    graph = _of_two("Max", (1.0, 2.0, 2.0), cv183x)
    feeds = {
        "x": np.full((1, 4, 2, 2), 0.9, np.float32),
        "y": np.full((1, 4, 2, 2), 0.5, np.float32),
    }
    name = next(n.name for n in graph.nodes if n.op == "Max")
    found = Program(graph, 1).run(feeds, observe=[name])[name]
    assert np.abs(found - 0.9).max() < 2 * 2.0 / 127


def test_nothing_is_unsigned(build) -> None:
    graph, _ = build
    assert {str(v.dtype) for v in graph.values() if v.data is None} <= {
        "si8",
        "si32",
        "bf16",
        "f32",
    }


def test_types_that_it_lacks_are_listed(cv183x) -> None:
    with pytest.raises(ConfigError, match="cv183x has no F16; it has INT8, BF16"):
        cv183x.require("F16")
