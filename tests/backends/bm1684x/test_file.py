"""A bmodel with instructions: written, read, printed, run from the file alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backends.bm1684x.cases import feeds_of, together
from tpuc.backends.bm1684x import compile_graph, disassemble, why_not
from tpuc.backends.bmodel import info, info_text, read_bmodel, read_summary, write_bmodel
from tpuc.backends.bmodel.container import read_container
from tpuc.errors import ArtifactError
from tpuc.ir import DType, QuantType
from tpuc.pipeline.loading import load
from tpuc.simulator import interpret

NAMES = ["conv 3x3, two rows of channels", "add", "max pool", "lut", "concat"]


@pytest.fixture
def graph():
    return together(NAMES)


@pytest.fixture
def path(tmp_path, graph):
    path = tmp_path / "net.bmodel"
    write_bmodel(path, graph, chip="BM1684X", native=compile_graph(graph))
    return path


def test_the_file_holds_both_forms(path, graph) -> None:
    bmodel = read_bmodel(path)
    compiled = compile_graph(graph)
    assert bmodel.streams == (compiled.tiu, compiled.dma)
    feeds = feeds_of(graph)
    expected = interpret(graph, feeds)
    for name, array in load(path).run(feeds).items():
        np.testing.assert_array_equal(array, expected[name])


def test_the_runtime_finds_counts_sizes_and_addresses(path, graph) -> None:
    model = read_container(path).model
    parameter = model["net"][0]["parameter"][0]
    compiled = compile_graph(graph)
    (group,) = parameter["cmd_group"]
    (subnet,) = parameter["sub_net"]
    assert (group["bdc_num"], group["gdma_num"]) == compiled.counts
    assert group["bdc_cmd_byte"] == len(compiled.tiu) and not group["bdc_cmd_byte"] % 128
    assert group["gdma_cmd_byte"] == len(compiled.dma) and not group["gdma_cmd_byte"] % 128
    assert subnet["cmd_group"] == [group] and model["chip"] == "BM1684X"
    start, size = parameter["ctx_addr"], parameter["ctx_size"]
    tensors = parameter["input_tensor"] + parameter["output_tensor"]
    assert all(start <= t["device_addr"] < start + size for t in tensors)
    assert len({t["device_addr"] for t in tensors}) == len(tensors)


def test_it_says_what_it_holds(path) -> None:
    net = info(path)["nets"][0]
    assert net["instruction_bytes"] == read_summary(path).nets[0].instruction_bytes > 0
    text = info_text(path)
    assert "chip instructions" in text and "no chip instructions" not in text


def test_streams_are_printed_with_tensor_names(path, graph) -> None:
    bmodel = read_bmodel(path)
    lines = disassemble(*bmodel.streams, bmodel.graph)
    compiled = compile_graph(graph)
    assert len(lines) == sum(compiled.counts) - 2
    conv = next(line for line in lines if " conv i32@" in line)
    assert conv.endswith("conv 3x3, two rows of channels/out") and "kernel 3x3" in conv
    for word in ("copy ", "requant ", "maximum ", "look_up ", "mul_shift ", "add_sat ", "cast "):
        assert any(word in line for line in lines), word
    assert not any("/out" in line for line in disassemble(*bmodel.streams))


def test_damage_is_found(path) -> None:
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 60):
        bad = bytearray(data)
        bad[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        with pytest.raises(ArtifactError):
            read_bmodel(path)


def test_what_has_no_instructions_is_named(graph) -> None:
    node = graph.find("add/out").producer
    node.attrs["multipliers"] = (93, 300)
    skip = why_not(graph)
    assert skip.nodes == ("add/out",) and "multipliers are [93, 300]" in skip.reason
    graph.find("max pool/out").quant = QuantType(0.5, 3)
    assert why_not(graph).nodes == ("add/out", "max pool/out")
    node.attrs["multipliers"] = (93, 30)
    assert "tensor 'max pool/out' has zero point 3" in why_not(graph).reason
    node.attrs["multipliers"] = (93, 300)
    graph.find("max pool/out").quant = QuantType(0.5)
    graph.find("lut/out").dtype = DType.F16
    assert why_not(graph).nodes == ("add/out", "lut/out")
