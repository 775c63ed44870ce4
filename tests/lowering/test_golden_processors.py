"""Every tensor of a build for each processor equals TPU-MLIR's, bit for bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.golden import networks
from tpuc.calibration import table as table_text
from tpuc.kernels.casts import to_float32
from tpuc.lowering import lower
from tpuc.processors import load_processor
from tpuc.simulator import Program
from tpuc.simulator.interpreter import interpret

ROOT = Path(__file__).parents[2]
KNOWN = {
    path.stem: json.loads(path.read_text())
    for path in sorted((ROOT / "tests" / "golden" / "processors").glob("*.json"))
}
BUILDS = [(p, mode, name) for p, modes in KNOWN.items() for mode in modes for name in modes[mode]]


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()[:16]


def _lowered(golden, processor, mode, name):
    facts = yaml.safe_load((ROOT / "conf" / "processor" / f"{processor}.yaml").read_text())
    table = table_text.read(networks.table_file(name)) if mode == "INT8" else None
    return lower(golden(name), table, load_processor(facts), mode).graph


@pytest.mark.parametrize(("processor", "mode", "name"), BUILDS)
def test_every_tensor_of_the_compiled_program_is_tpu_mlirs(processor, mode, name, golden):
    graph = _lowered(golden, processor, mode, name)
    expected = KNOWN[processor][mode][name]
    program = Program(graph, 2)
    assert [n.op for n in graph.nodes if n.name in program.fallbacks and n.op != "Scale"] == []
    found = program.run({"input": networks.sample(0)}, observe=list(expected))
    assert [k for k, d in expected.items() if _digest(found[k]) != d] == []


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18"])
def test_every_tensor_of_the_reference_kernels_is_tpu_mlirs(name, golden):
    graph = _lowered(golden, "bm1684", "INT8", name)
    stored = interpret(graph, {"input": networks.sample(0)})
    values = {v.name: v for v in graph.values()}
    expected = KNOWN["bm1684"]["INT8"][name]
    assert [k for k, d in expected.items() if _digest(to_float32(stored[k], values[k])) != d] == []
