"""INT4: every tensor is TPU-MLIR's, on the reference and on the C kernels; thresholds too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.golden import networks
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.backends.bmodel import write_bmodel
from tpuc.calibration import Options, calibrate
from tpuc.calibration import table as table_text
from tpuc.errors import ConfigError, TableError
from tpuc.kernels.casts import to_float32
from tpuc.lowering import float_twin, lower
from tpuc.lowering.rules import can_be_four_bits
from tpuc.pipeline.loading import load
from tpuc.processors import load_processor
from tpuc.simulator import FloatEngine, Program
from tpuc.simulator.interpreter import interpret

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "golden" / "four_bits"
KNOWN = {p.stem: json.loads(p.read_text()) for p in sorted(FOLDER.glob("*.json"))}
BUILDS = [(p, n) for p in KNOWN for n in KNOWN[p]]


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()[:16]


def _processor(name):
    return load_processor(yaml.safe_load((ROOT / f"conf/processor/{name}.yaml").read_text()))


def _table(name):
    return table_text.read(FOLDER / "tables" / name)


@pytest.mark.parametrize(("processor", "name"), BUILDS)
def test_every_tensor_is_tpu_mlirs(processor, name, golden):
    expected, feeds = KNOWN[processor][name], {"input": networks.sample(0)}
    graph = lower(golden(name), _table(name), _processor(processor), "INT4").graph
    program = Program(graph, 2)
    assert program.fallbacks == {}
    found, stored = program.run(feeds, observe="all"), interpret(graph, feeds)
    values = {v.name: v for v in graph.values()}
    assert {v.dtype.bits for v in values.values()} >= {4, 8}
    assert [k for k, d in expected.items() if _digest(found[k]) != d] == []
    assert [k for k, d in expected.items() if _digest(to_float32(stored[k], values[k])) != d] == []


def test_the_bmodel_gives_the_same(golden, tmp_path):
    graph = lower(golden("resnet18"), _table("resnet18"), _processor("bm1688"), "INT4").graph
    feeds = {"input": networks.sample(0)}
    write_bmodel(tmp_path / "net.bmodel", graph, chip="BM1688")
    loaded, direct = load(tmp_path / "net.bmodel").run(feeds), Program(graph, 2).run(feeds)
    for name, array in direct.items():
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_calibration_finds_the_same_thresholds_for_8_and_4_bits(name, golden):
    batches = networks.calibration_batches(4)
    graph, theirs = golden(name), _table(name)
    options = Options(("kl",), 4, four_bits=True)
    ours = calibrate(graph, FloatEngine(float_twin(graph), 2), batches, options).tables["kl"]
    assert list(ours.int4) == list(theirs.int4)
    for rows, wanted in ((ours.ranges, theirs.ranges), (ours.int4, theirs.int4)):
        for key, row in wanted.items():
            assert rows[key].threshold == pytest.approx(row.threshold, rel=1e-4), key
    assert table_text.parse(table_text.to_text(ours)).int4 == ours.int4


def test_a_quantize_table_makes_single_ops_4_bit_and_others_8(golden):
    graph = golden("resnet18")
    names = [n.name for n in graph.nodes if n.op == "Conv"]
    table, processor = _table("resnet18"), _processor("bm1688")
    choices = QuantizeTable({names[3]: Choice("INT4"), names[5]: Choice("INT4")})
    lowered = lower(graph, table, processor, "INT8", choices).graph
    small = [n.name for n in lowered.nodes if n.op == "RequantFp"]
    assert [s.split("_to_b4_for_")[1] for s in small] == [names[3], names[5]]
    other = QuantizeTable({n: Choice("INT8") for n in names})
    lowered = lower(graph, table, processor, "INT4", other).graph
    assert [n.op for n in lowered.nodes if n.output.dtype.bits == 4] == ["RequantFp", "MatMul"]


def test_what_is_missing_is_said(golden, bm1684x):
    graph, table = golden("resnet18"), _table("resnet18")
    with pytest.raises(ConfigError, match="bm1684x has no INT4; it has INT8, F16"):
        lower(graph, table, bm1684x, "INT4")
    with pytest.raises(TableError, match="no section #int4_th"):
        lower(graph, replace(table, int4={}), _processor("bm1688"), "INT4")
    name = next(n for n in graph.nodes if n.op == "MaxPool").name
    less = {k: v for k, v in table.int4.items() if k != name}
    with pytest.raises(TableError, match=f"no 8-bit and 4-bit row for op '{name}'"):
        lower(graph, replace(table, int4=less), _processor("bm1688"), "INT4")


MIXED = json.loads((FOLDER / "mixed" / "bm1688.json").read_text())


@pytest.mark.parametrize("name", MIXED)
def test_mixes_of_4_and_8_bits_are_tpu_mlirs(name, golden):
    """Also where an 8-bit Conv reads the 4 bits of the op before it."""
    small, expected = MIXED[name]["small"], MIXED[name]["tensors"]
    graph = golden(name)
    other = [n.name for n in graph.nodes if can_be_four_bits(n) and n.name not in small]
    table = replace(_table(name), int4_ops=tuple(small))
    rows = QuantizeTable({n: Choice("INT8") for n in other})
    lowered = lower(graph, table, _processor("bm1688"), "INT4", rows).graph
    found = Program(lowered, 2).run({"input": networks.sample(0)}, observe="all")
    stored = interpret(lowered, {"input": networks.sample(0)})
    values = {v.name: v for v in lowered.values()}
    assert [k for k, d in expected.items() if _digest(found[k]) != d] == []
    assert [k for k, d in expected.items() if _digest(to_float32(stored[k], values[k])) != d] == []
