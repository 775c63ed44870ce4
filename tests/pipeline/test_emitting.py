"""Which form a bmodel takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.kernels.single_op import single_op
from tpuc.backends.bmodel import read_bmodel
from tpuc.errors import ConfigError
from tpuc.ir import DType
from tpuc.pipeline.emitting import emit_bmodel

SHAPE = (1, 3, 4, 5)


@pytest.fixture
def chip(bm1684x):
    facts = {"lanes": 64, "lane_bytes": 262144, "eu_bytes": 64}
    return replace(bm1684x, instructions="tiu_dma", **facts)


def _graph():
    return single_op("Relu", [(SHAPE, DType.SI8)], (SHAPE, DType.UI8), {})


def test_instructions_when_every_op_has_them(tmp_path, chip) -> None:
    emitted = emit_bmodel(tmp_path / "x", _graph(), chip)
    assert emitted.skip is None
    streams = read_bmodel(tmp_path / "x").streams
    assert emitted.instruction_bytes == sum(map(len, streams))


def test_none_and_a_reason_when_one_has_not(tmp_path, chip) -> None:
    graph = _graph()
    graph.find("out").dtype = DType.F16
    emitted = emit_bmodel(tmp_path / "x", graph, chip)
    assert emitted.instruction_bytes is None and emitted.skip.nodes == ("out",)
    assert read_bmodel(tmp_path / "x").streams is None


def test_what_does_not_fit_a_field_is_a_reason(tmp_path, chip) -> None:
    shape = (1, 70000, 1, 1)
    attrs = {"pool_mode": "Max", "kernel_shape": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0)}
    graph = single_op("Pool2D", [(shape, DType.SI8)], (shape, DType.SI8), attrs)
    emitted = emit_bmodel(tmp_path / "x", graph, chip)
    assert emitted.instruction_bytes is None and "70000" in emitted.skip.reason
    assert read_bmodel(tmp_path / "x").streams is None


def test_a_processor_without_instructions(tmp_path, bm1684x) -> None:
    emitted = emit_bmodel(tmp_path / "x", _graph(), bm1684x)
    assert "makes no instructions for bm1684x" in emitted.skip.reason


@pytest.mark.parametrize(("fact", "value"), [("lanes", 32), ("cores", 2), ("instructions", "x")])
def test_another_machine_is_refused(tmp_path, chip, fact, value) -> None:
    with pytest.raises(ConfigError, match=fact):
        emit_bmodel(tmp_path / "x", _graph(), replace(chip, **{fact: value}))
