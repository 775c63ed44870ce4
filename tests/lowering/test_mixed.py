"""Every tensor of builds with float ops equals TPU-MLIR's, bit for bit, from the input on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.golden import networks
from tests.golden.mixed_cases import CASES, digest, expected, qtable_text
from tpuc.calibration import table as table_text
from tpuc.ir import Graph
from tpuc.kernels.casts import to_float32
from tpuc.lowering import lower
from tpuc.processors import Processor, load_processor
from tpuc.search import qtable as qtable_file
from tpuc.simulator import Program, interpret


def facts_of(name: str) -> Processor:
    folder = Path(__file__).parents[2] / "conf" / "processor"
    return load_processor(yaml.safe_load((folder / f"{name}.yaml").read_text()))


@pytest.fixture(scope="module", params=list(CASES))
def build(request, golden) -> tuple[Graph, dict[str, str]]:
    case = CASES[request.param]
    graph = golden(case.network)
    ops = [n.name for n in graph.nodes if n.op != "Input"]
    qtable = qtable_file.parse(qtable_text(case, ops)) if case.types else None
    table = None
    if case.mode == "INT8":
        table = table_text.read(networks.table_file(case.network))
    return lower(graph, table, facts_of(case.processor), case.mode, qtable).graph, expected(
        request.param
    )


def test_the_types_and_casts_are_tpu_mlirs(build) -> None:
    graph, digests = build
    assert {v.name for v in graph.values() if v.data is None} == set(digests)


def test_every_tensor_of_the_reference_kernels(build) -> None:
    graph, digests = build
    stored = interpret(graph, {"input": networks.sample(0)})
    values = {v.name: v for v in graph.values()}
    wrong = [k for k, d in digests.items() if digest(to_float32(stored[k], values[k])) != d]
    assert wrong == []


@pytest.mark.parametrize("threads", [1, 2])
def test_every_tensor_of_the_compiled_program(build, threads: int) -> None:
    graph, digests = build
    batch = np.concatenate([networks.sample(0), networks.sample(1)])
    found = Program(graph, threads).run({"input": batch}, observe=list(digests))
    wrong = [k for k, d in digests.items() if digest(found[k][:1]) != d]
    assert wrong == []
