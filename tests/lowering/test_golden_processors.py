"""Every tensor of a build for each processor equals TPU-MLIR's, bit for bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.golden import networks
from tests.golden.weights import made_input
from tpuc.calibration import table as table_text
from tpuc.ir.text_parse import load_mlir
from tpuc.kernels.casts import to_float32
from tpuc.lowering import lower
from tpuc.processors import load_processor
from tpuc.simulator import Program
from tpuc.simulator.interpreter import interpret

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
KNOWN = {
    path.stem: json.loads(path.read_text())
    for path in sorted((GOLDEN / "processors").glob("*.json"))
}
BUILDS = [(p, mode, name) for p, modes in KNOWN.items() for mode in modes for name in modes[mode]]


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()[:16]


def _processor(name):
    facts = (ROOT / "conf" / "processor" / f"{name}.yaml").read_text()
    return load_processor(yaml.safe_load(facts))


def _lowered(golden, processor, mode, name):
    table = table_text.read(networks.table_file(name)) if mode == "INT8" else None
    return lower(golden(name), table, _processor(processor), mode).graph


@pytest.mark.parametrize(("processor", "mode", "name"), BUILDS)
def test_every_tensor_of_the_compiled_program_is_tpu_mlirs(processor, mode, name, golden):
    graph = _lowered(golden, processor, mode, name)
    expected = KNOWN[processor][mode][name]
    program = Program(graph, 2)
    assert program.fallbacks == {}
    found = program.run({"input": networks.sample(0)}, observe=list(expected))
    assert [k for k, d in expected.items() if _digest(found[k]) != d] == []


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18"])
def test_every_tensor_of_the_reference_kernels_is_tpu_mlirs(name, golden):
    graph = _lowered(golden, "bm1684", "INT8", name)
    stored = interpret(graph, {"input": networks.sample(0)})
    values = {v.name: v for v in graph.values()}
    expected = KNOWN["bm1684"]["INT8"][name]
    assert [k for k, d in expected.items() if _digest(to_float32(stored[k], values[k])) != d] == []


def test_rare_ops_of_bm1684_are_tpu_mlirs(tmp_path):
    """All but the clip, which TPU-MLIR cuts in two ops with names of their own."""
    known = json.loads((GOLDEN / "processors" / "rare" / "bm1684.json").read_text())
    (tmp_path / "table").write_text(known["table"])
    table = table_text.read(tmp_path / "table")
    graph = lower(load_mlir(GOLDEN / "operators" / "rare.mlir"), table, _processor("bm1684")).graph
    feed = {"x": made_input(0, (1, 3, 16, 16)) * 4 - 2}
    found = Program(graph, 2).run(feed, observe="all")
    expected = {k: d for k, d in known["tensors"].items() if "clipm_o_Clip_max" not in k}
    assert len(expected) > 100
    assert [k for k, d in expected.items() if _digest(found[k]) != d] == []
