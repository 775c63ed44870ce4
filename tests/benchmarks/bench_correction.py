"""Corrections: what equalization saves where weight ranges are bad, and how long each one takes.

The network is EfficientNet-Lite0 with Relu in place of Relu6, so that channels can scale freely,
as in section 4.1 of Nagel et al. 2019. They are then scaled apart on purpose, by exp of normal
numbers, and layers behind scaled back: the float network is the same, weight ranges are not.
BM1684 has one scale for all weights of a layer, BM1684X one for each channel. The untouched network
on BM1684 shows what biases are worth.

SmoothQuant and softmax correction have no place in it: they are shown on small transformers, where
they can hurt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from tests.benchmarks.judged import pixels
from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Finished, Setting, vendor_calibration
from tests.correction.spread import spread, without_limits
from tests.golden import transformers
from tpuc.artifacts import CalibrationTable
from tpuc.calibration import Options, calibrate
from tpuc.correction import (
    Bench,
    Corrected,
    correct_biases,
    correct_softmaxes,
    equalize_weights,
    learn_rounding,
    smooth_activations,
    with_unit_ranges,
)
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import Lowerer, Memo, float_twin, lower
from tpuc.passes import canonicalize
from tpuc.processors import Processor, load_processor
from tpuc.simulator import FloatEngine, Program, SideBySide

__all__ = ["lines"]

SPREADS = (0.0, 1.0, 2.0)
SLOWEST = 180.0
FASTER = 20.0
BATCH = 5
TIMED = 100
NEAR = 0.001
FACTS = Path(__file__).parents[2] / "conf" / "processor"


@dataclass
class _Stand:
    """Pictures to learn from and others to judge on, in batches."""

    learn: list[dict[str, np.ndarray]]
    judge: list[dict[str, np.ndarray]]

    def table(self, graph: Graph) -> CalibrationTable:
        options = Options(("max",), _rows(self.learn), threads=2)
        return calibrate(graph, FloatEngine(float_twin(graph), 1), self.learn, options).tables[
            "max"
        ]

    def bench(self, graph: Graph, table: CalibrationTable, processor: Processor) -> Bench:
        memo, batches = Memo(), self.learn
        return Bench(
            float_twin(graph),
            lambda g: Lowerer(g, processor, memo).lower(table, "INT8").graph,
            lambda one, other: SideBySide(one, other, batches, 2),
            _rows(batches),
            2,
        )

    def tensors(self, graph: Graph) -> Callable:
        engine = FloatEngine(float_twin(graph), 2)
        return lambda names: (engine.run(batch, list(names)) for batch in self.learn)

    def cosine(self, graph: Graph, lowered: Graph) -> float:
        """Mean cosine of the integer outputs against those of `graph`."""
        name = graph.outputs[0].name
        engine, program = FloatEngine(float_twin(graph), 2), Program(lowered, 2)
        found: list[float] = []
        for batch in self.judge:
            a = engine.run(batch, [name])[name].astype(np.float64)
            b = next(iter(program.run(batch).values())).astype(np.float64)
            a, b = (v.reshape(len(v), -1) for v in (a, b))
            norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
            found.extend((a * b).sum(axis=1) / np.where(norms > 0, norms, 1.0))
        return float(np.mean(found))


def lines(setting: Setting) -> Iterator[Line]:
    """Losses, then times."""
    setting.tpuc(
        "correction", "recipe=efficientnet_lite0", f"model.path={setting.network}",
        f"dataset.path={setting.pictures}", "stop_after=import",
    )  # fmt: skip
    graph = load_mlir(setting.work / "correction" / "run" / "efficientnet_lite0.mlir")
    files = setting.samples
    half = len(files) // 2
    name = graph.inputs[0].name
    stand = _Stand(_batches(name, files[:half]), _batches(name, files[half:]))
    yield from _losses(stand, graph)
    yield from _biases(stand, graph)
    yield from _attention(setting)
    everything = _batches(name, files[:TIMED])
    yield from _times(_Stand(everything, everything), graph)
    yield from _processes(setting)


def _losses(stand: _Stand, graph: Graph) -> Iterator[Line]:
    unlimited = without_limits(graph)
    for chip in ("bm1684", "bm1684x"):
        processor = _processor(chip)
        for deviation in SPREADS:
            bad = spread(unlimited, deviation)
            equal = equalize_weights(bad).graph
            tables = stand.table(bad), stand.table(equal)
            plain = stand.cosine(bad, lower(bad, tables[0], processor).graph)
            after = stand.cosine(bad, lower(equal, tables[1], processor).graph)
            biased = correct_biases(equal, stand.bench(equal, tables[1], processor), 1.0).graph
            both = stand.cosine(bad, lower(biased, tables[1], processor).graph)
            alone = correct_biases(bad, stand.bench(bad, tables[0], processor), 1.0).graph
            only = stand.cosine(bad, lower(alone, tables[0], processor).graph)
            figure = f"{chip}, channels apart by exp(N(0, {deviation:g}))"
            met = after >= plain - NEAR
            yield Line(
                f"{figure}: equalization", f"{after:.5f}", f"without: {plain:.5f}",
                "no nearer without", met,
            )  # fmt: skip
            yield Line(f"{figure}: biases", f"{only:.5f}", f"without: {plain:.5f}")
            yield Line(f"{figure}: both", f"{both:.5f}", f"without: {plain:.5f}")


def _biases(stand: _Stand, graph: Graph) -> Iterator[Line]:
    """The network as it is, one scale for all weights of a layer."""
    processor = _processor("bm1684")
    table = stand.table(graph)
    plain = stand.cosine(graph, lower(graph, table, processor).graph)
    equal = equalize_weights(graph, stand.tensors(graph)).graph
    even = stand.cosine(graph, lower(equal, stand.table(equal), processor).graph)
    yield Line("bm1684, with Relu6: equalization", f"{even:.5f}", f"without: {plain:.5f}")
    made = correct_biases(graph, stand.bench(graph, table, processor), 1.0).graph
    after = stand.cosine(graph, lower(made, table, processor).graph)
    figure = "bm1684, with Relu6: biases"
    yield Line(figure, f"{after:.5f}", f"without: {plain:.5f}", "nearer", after > plain)


def _attention(setting: Setting) -> Iterator[Line]:
    """Corrections of attention and normalization, on samples that were not learned from."""
    for network in transformers.NAMES:
        folder = setting.folder("correction_transformers")
        graph = read_onnx(transformers.onnx_file(network, folder))
        if not any(node.op == "Softmax" for node in graph.nodes):
            continue
        canonicalize(graph)
        feeds = [transformers.sample(network, i) for i in range(3 * BATCH)]
        stand = _Stand(feeds[:BATCH], feeds[BATCH:])
        plain = stand.cosine(graph, lower(graph, stand.table(graph), _processor("bm1684x")).graph)
        for name, correct in (
            ("smoothquant", smooth_activations),
            ("softmax_correction", correct_softmaxes),
        ):
            made = correct(graph, stand.tensors(graph)).graph
            table = with_unit_ranges(stand.table(made), [v.name for v in made.values()])
            after = stand.cosine(graph, lower(made, table, _processor("bm1684x")).graph)
            yield Line(f"{network}, bm1684x: {name}", f"{after:.5f}", f"without: {plain:.5f}")


def _processor(chip: str) -> Processor:
    return load_processor(yaml.safe_load((FACTS / f"{chip}.yaml").read_text()))


def _times(stand: _Stand, graph: Graph) -> Iterator[Line]:
    processor = _processor("bm1684x")
    table = stand.table(graph)
    corrections: dict[str, Callable[[], Corrected]] = {
        "smoothquant": lambda: smooth_activations(graph, stand.tensors(graph)),
        "weight_equalization": lambda: equalize_weights(graph, stand.tensors(graph)),
        "softmax_correction": lambda: correct_softmaxes(graph, stand.tensors(graph)),
        "bias_correction": lambda: correct_biases(graph, stand.bench(graph, table, processor), 1.0),
        "adaround": lambda: learn_rounding(graph, stand.bench(graph, table, processor)),
    }
    for name, correct in corrections.items():
        start = time.process_time()  # of both threads; waiting for others does not count
        correct()
        seconds = (time.process_time() - start) / 2
        figure = f"{name}, EfficientNet-Lite0, {_rows(stand.learn)} pictures"
        yield Line(figure, f"{seconds:.2f} s", "", f"{SLOWEST:.0f} s", seconds < SLOWEST)


def _processes(setting: Setting) -> Iterator[Line]:
    """Whole processes that calibrate on 100 pictures and correct biases."""
    for figure, number, least in (
        ("100 pictures, layers below 0.99", 100, 0.99),
        ("30 pictures, every layer", 30, 1.0),
    ):
        ours = setting.tpuc(
            "correction_bc", "recipe=efficientnet_lite0", f"model.path={setting.network}",
            f"dataset.path={setting.pictures}", "correction=bias_correction", "cache=null",
            f"calibration.input_num={TIMED}", f"correction.bc_inference_num={number}",
            f"correction.min_layer_cos={least}", "stop_after=correct",
        )  # fmt: skip
        figure = f"kl on {TIMED} pictures, bias correction on {figure}"
        if setting.vendor is None:
            yield Line(figure, _spent(ours), "", f"{FASTER:.0f} x TPU-MLIR")
            continue
        theirs = vendor_calibration(
            setting, "correction", f"correction_vendor_{number}", setting.pictures, TIMED, "--bc",
            "--bc_inference_num", str(number), "--min_layer_cos", str(least),
            "--expected_cos", "0.9999",
        )  # fmt: skip
        done = theirs.output.count("new layer cos")
        ratio = theirs.seconds / ours.seconds
        goal = f"{ratio:.1f} x, busy {theirs.busy / ours.busy:.1f} x, of {FASTER:.0f} x"
        said = f"TPU-MLIR ({done} layers) {_spent(theirs)}"
        yield Line(figure, _spent(ours), said, goal, ratio >= FASTER)


def _spent(run: Finished) -> str:
    return f"{run.seconds:.1f} s, busy {run.busy:.1f} s"


def _batches(name: str, files: list[Path]) -> list[dict[str, np.ndarray]]:
    parts = [files[i : i + BATCH] for i in range(0, len(files), BATCH)]
    return [{name: np.stack([pixels(cv2.imread(str(f))) for f in part])} for part in parts]


def _rows(batches: list[dict[str, np.ndarray]]) -> int:
    return sum(len(next(iter(b.values()))) for b in batches)
