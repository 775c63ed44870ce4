"""Groups that work in bands of rows: the same bits, coefficients loaded once, and when they pay."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from tests.backends.bm1684x.running import run_here, run_there
from tests.golden import networks
from tpuc.backends.bm1684x import (
    compile_graph,
    cycles_in_all,
    decode_stream,
    estimate,
    placing,
)
from tpuc.backends.bm1684x.bands import Group, in_bands_of, runs
from tpuc.backends.bm1684x.command import GLOBAL
from tpuc.backends.bm1684x.memory import plan_memory
from tpuc.backends.bm1684x.rules.rule import shape_of
from tpuc.backends.bmodel import write_bmodel
from tpuc.calibration import table as table_text
from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.lowering import lower
from tpuc.simulator import Program


@pytest.fixture(scope="module")
def lowered(golden, bm1684x):
    def build(name: str, mode: str = "INT8") -> Graph:
        table = table_text.read(networks.table_file(name)) if mode == "INT8" else None
        return lower(golden(name), table, bm1684x, mode).graph

    return build


def _cut(graph: Graph, rng: np.random.Generator) -> list[Group]:
    """All ops that can, in groups of any length and any number of bands."""
    outputs = {v.name for v in graph.outputs}
    found = []
    for run in runs(graph, plan_memory(graph).aliases):
        start = 0
        while start < len(run):
            nodes = run[start : start + int(rng.integers(1, 9))]
            start += len(nodes)
            names = {n.name for n in nodes}
            outside = frozenset(
                n.name
                for n in nodes
                if n.name in outputs or any(u.name not in names for u in n.output.users)
            )
            rows = min(shape_of(n.output)[2] for n in nodes if n.name in outside)
            axes = {n.name: in_bands_of(n).axis(n) for n in nodes}
            found.append(Group(nodes, axes, outside, int(rng.integers(1, min(rows, 7) + 1))))
    return found


@pytest.mark.parametrize("kind", ["8 bits", "f16"])
@pytest.mark.parametrize("all_stay", [True, False])
def test_any_groups_give_the_same_bits(monkeypatch, kind: str, all_stay: bool) -> None:
    graph = _block(44, 36, kind)
    feeds = {"in": _picture(graph)}
    plain = compile_graph(graph)
    expected = run_here(graph, plain, feeds)
    if not all_stay:
        monkeypatch.setattr(placing, "_may_stay", lambda graph, plan: set())
    for seed in range(6):
        groups = _cut(graph, np.random.default_rng(seed))
        _force(monkeypatch, groups)
        compiled = compile_graph(graph)
        assert compiled.counts[0] > plain.counts[0] or all(g.count == 1 for g in groups)
        for output, array in run_here(graph, compiled, feeds).items():
            np.testing.assert_array_equal(array, expected[output])


def _force(monkeypatch, groups: list[Group]) -> None:
    cycles = iter((2, 1))  # the groups are faster, whatever the clock says
    monkeypatch.setattr(placing, "choose_groups", lambda *_: [groups])
    monkeypatch.setattr(placing, "predicted", lambda _: next(cycles))


@pytest.mark.vendor
@pytest.mark.skipif("TPUC_VENDOR" not in os.environ, reason="TPUC_VENDOR is not set")
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "googlenet"])
def test_the_chip_simulator_agrees_on_any_groups(lowered, monkeypatch, tmp_path, name) -> None:
    graph = lowered(name)
    feeds = {"input": networks.sample(0)}
    expected = Program(graph).run(feeds, raw=True)
    _force(monkeypatch, _cut(graph, np.random.default_rng(1)))
    path = tmp_path / "x.bmodel"
    write_bmodel(path, graph, chip="BM1684X", native=compile_graph(graph))
    found = run_there(path, graph, feeds)
    assert all(np.array_equal(found[v.name], expected[v.name]) for v in graph.outputs)


S8, U8, F16 = DType.SI8, DType.UI8, DType.F16
ONE = QuantType(0.5)


def _conv(graph: Graph, source: Value, out: int, kernel: int, stride: int) -> Value:
    rng = np.random.default_rng(len(graph.nodes))
    _, c, h, w = source.shape
    pad, name = kernel // 2, f"conv{len(graph.nodes)}"
    attrs = {"group": 1, "kernel_shape": (kernel,) * 2, "strides": (stride,) * 2}
    attrs |= {"pads": (pad,) * 4, "dilations": (1, 1), "do_relu": True}
    shape = 1, out, -(-h // stride), -(-w // stride)
    filters = rng.integers(-128, 128, (out, c, kernel, kernel))
    bias = rng.integers(-(2**12), 2**12, out)
    if source.dtype == F16:
        kinds, types = (np.float32, np.float32), (F16, DType.F32)
        filters, bias, result = filters / 512, bias / 2**12, Value(name, shape, F16)
    else:
        attrs["multiplier"] = tuple(int(m) for m in rng.integers(2**29, 2**31 - 1, out))
        attrs["rshift"] = tuple(int(r) for r in rng.integers(36, 39, out))
        kinds, types, result = (np.int8, np.int32), (S8, DType.SI32), Value(name, shape, U8, ONE)
    operands = [source]
    for data, kind, dtype in zip((filters, bias), kinds, types):
        operands.append(Value(f"{name}/{dtype}", data.shape, dtype, None, data.astype(kind)))
    graph.add("Conv2D", operands, [result], with_defaults("Conv2D", attrs, "tpu"))
    return result


def _block(height: int, width: int, kind: str = "8 bits") -> Graph:
    """Convolutions with a shortcut, a pool, and one more."""
    graph = Graph("block", "tpu")
    source = Value("in", (1, 3, height, width))
    graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
    dtype, quant = (F16, None) if kind == "f16" else (S8, ONE)
    cast = Value("q", source.shape, dtype, quant)
    graph.add("Cast", [source], [cast], with_defaults("Cast", {}, "tpu"))
    first = _conv(graph, cast, 12, 3, 2)
    left = _conv(graph, _conv(graph, first, 20, 1, 1), 12, 3, 1)
    attrs = {} if kind == "f16" else {"multipliers": (93, 29), "rshifts": (7, 5)}
    both = Value("sum", left.shape, dtype, quant)
    graph.add("Add", [left, first], [both], with_defaults("Add", attrs, "tpu"))
    attrs = {"pool_mode": "Max", "kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}
    pooled = Value("pool", (*left.shape[:2], left.shape[2] // 2, left.shape[3] // 2), dtype, quant)
    graph.add("Pool2D", [both], [pooled], with_defaults("Pool2D", attrs, "tpu"))
    outputs = [_conv(graph, pooled, 8, 3, 2), both]
    graph.outputs = [_plain(graph, v) for v in outputs]
    return graph


def _plain(graph: Graph, value: Value) -> Value:
    """As float32, where the type has no numbers of its own in numpy."""
    if value.dtype != F16:
        return value
    found = Value(f"{value.name}/f32", value.shape)
    graph.add("Cast", [value], [found], with_defaults("Cast", {}, "tpu"))
    return found


def _picture(graph: Graph) -> np.ndarray:
    shape = graph.inputs[0].shape
    return (np.random.default_rng(0).integers(-128, 128, shape) / 2).astype(np.float32)


@pytest.fixture(scope="module")
def large() -> Graph:
    """Its sums do not fit local memory at once."""
    return _block(512, 384)


def test_groups_are_chosen_where_they_are_faster(large, monkeypatch) -> None:
    grouped = compile_graph(large)
    monkeypatch.setattr(placing, "choose_groups", lambda *_: [])
    alone = compile_graph(large)
    assert cycles_in_all(grouped) < 0.8 * cycles_in_all(alone)
    assert grouped.context[1] < alone.context[1]  # rows between ops stay in local memory
    feeds = {"in": _picture(large)}
    expected = Program(large).run(feeds, raw=True)
    for compiled in (grouped, alone):
        for name, array in run_here(large, compiled, feeds).items():
            np.testing.assert_array_equal(array, expected[name])


def test_coefficients_are_loaded_once(large) -> None:
    compiled = compile_graph(large)
    end = GLOBAL + len(compiled.coefficients)
    loads = [
        c["s_low"]
        for c in decode_stream(compiled.dma, "dma")
        if c["s_high"] and c["s_low"] | c["s_high"] << 32 < end
    ]
    convs = sum(node.op == "Conv2D" for node in large.nodes)
    assert len(loads) == len(set(loads)) == convs == len(compiled.places)


def test_the_next_band_is_loaded_while_one_is_computed(large) -> None:
    """Loads of the picture do not wait for the band before."""
    compiled = compile_graph(large)
    streams = decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")
    time = estimate(*streams)
    picture = [i for i, c in enumerate(streams[1]) if c["sub"] == 3]
    spans = [time.dma[i] for i in picture[3:]]  # behind those of the first band
    early = sum(
        any(start < until and since < end for since, until in time.tiu) for start, end in spans
    )
    assert len(spans) > 3 and early > 0.7 * len(spans)


def test_where_all_fits_there_are_no_groups(lowered, monkeypatch) -> None:
    found = []
    choose = placing.choose_groups
    monkeypatch.setattr(placing, "choose_groups", lambda *a: found.append(choose(*a)) or found[-1])
    compile_graph(lowered("mobilenet_v2"))
    assert found == [[]]


def test_shares_are_all_rows_once_and_within_what_a_band_has(lowered) -> None:
    rng = np.random.default_rng(5)
    for group in _cut(lowered("resnet18"), rng):
        seen: dict[str, int] = dict.fromkeys(group.outside, 0)
        for band in range(group.count):
            rows = group.rows(band)
            for node in group.nodes:
                if node.name in group.outside:
                    first, last = group.share(node.output, band)
                    assert first == seen[node.name] < last
                    assert rows[node.name][0] <= first and last <= rows[node.name][1]
                    seen[node.name] = last
                low, high = rows[node.name]
                axis = group.axes[node.name]
                reads = [
                    r
                    for row in range(low, high)
                    for k in range(axis.kernel)
                    if 0 <= (r := row * axis.stride - axis.before + k * axis.dilation) < axis.size
                ]
                for value in node.activations:
                    assert rows[value.name][0] <= min(reads) and max(reads) < rows[value.name][1]
        assert seen == {n.name: shape_of(n.output)[2] for n in group.nodes if n.name in seen}


def test_a_group_without_room_gets_more_bands(large, monkeypatch) -> None:
    """A first guess of two bands, far too large."""
    choose = placing.choose_groups

    def too_few(*given) -> list[list[Group]]:
        return [[replace(g, count=max(2, g.count * 2 // 3)) for g in s] for s in choose(*given)]

    fine = cycles_in_all(compile_graph(large))
    monkeypatch.setattr(placing, "choose_groups", too_few)
    assert cycles_in_all(compile_graph(large)) < 1.1 * fine
