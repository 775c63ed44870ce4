"""Accuracy: INT8 EfficientNet-Lite0 against float on pictures that nothing was learned from.

Every threshold method without a correction and with each one; learned rounding, the slowest, with
kl and mse; TPU-MLIR's own tables; onnxruntime's static quantization. Shown: same first class as
float, and output cosine. SmoothQuant and softmax correction find no place in this network.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from tests.benchmarks import qdq
from tests.benchmarks.judged import Judged, Nearness
from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Finished, Setting
from tpuc.artifacts import CalibrationTable
from tpuc.calibration import Options, calibrate
from tpuc.calibration import table as table_text
from tpuc.correction import Bench, Corrected, correct_biases, equalize_weights, learn_rounding
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import Lowerer, Memo, float_twin, lower
from tpuc.processors import Processor, load_processor
from tpuc.simulator import FloatEngine, SideBySide

__all__ = ["lines"]

METHODS = ("kl", "mse", "max", "percentile9999", "aciq_gauss", "aciq_laplace", "torch_observer")
LEARNED = ("kl", "mse")
VENDORS = ("kl", "mse")
AGREEMENT = 0.98
SLOWEST = 180.0
FASTER = 20.0
BATCH = 5
FACTS = Path(__file__).parents[2] / "conf" / "processor" / "bm1684x.yaml"
CORRECTIONS = {
    "bias_correction (min_layer_cos=0.99)": lambda graph, bench: correct_biases(graph, bench),
    "bias_correction (min_layer_cos=1)": lambda graph, bench: correct_biases(graph, bench, 1.0),
    "adaround": lambda graph, bench: learn_rounding(graph, bench),
}


@dataclass
class _Stand:
    """The network, the pictures and the tables made with one half of them."""

    graph: Graph
    processor: Processor
    judged: Judged
    tables: dict[str, CalibrationTable]
    batches: list[dict[str, np.ndarray]]

    def bench(self, table: CalibrationTable) -> Bench:
        memo = Memo()
        rows = sum(len(next(iter(b.values()))) for b in self.batches)
        return Bench(
            float_twin(self.graph),
            lambda g: Lowerer(g, self.processor, memo).lower(table, "INT8").graph,
            lambda one, other: SideBySide(one, other, self.batches, 2),
            rows,
            2,
        )

    def calibrated(self, graph: Graph) -> dict[str, CalibrationTable]:
        """Tables by every method, as they read after they were written."""
        name, learned = graph.inputs[0].name, self.judged.learned
        options = Options(METHODS, len(learned), threads=2)
        engine = FloatEngine(float_twin(graph), 1)
        made = calibrate(graph, engine, self.batches, options, {name: learned[:5]}).tables
        return {m: table_text.parse(table_text.to_text(t)) for m, t in made.items()}

    def nearness(self, table: CalibrationTable, graph: Graph | None = None) -> Nearness:
        lowered = lower(graph or self.graph, table, self.processor).graph
        return self.judged.of(lowered)


def lines(setting: Setting) -> Iterator[Line]:
    """Uncorrected, corrected, the others, and how long corrections take."""
    stand = _stand(setting)
    views = len(stand.judged.views)
    yield Line(f"same class as float and output cosine on {views} views of other pictures", "")
    found: dict[str, Nearness] = {}
    for name, near, seconds in _ours(stand):
        found[name] = near
        if not seconds:
            yield Line(name, str(near))
            continue
        spent, goal = f"{seconds:.0f} s on two cores", f"{SLOWEST:.0f} s"
        yield Line(name, str(near), spent, goal, seconds < SLOWEST)
    best = max(found, key=lambda name: found[name].cos)
    met = found[best].agreement >= AGREEMENT
    yield Line(f"nearest of all: {best}", str(found[best]), "", f"{AGREEMENT:.0%}", met)
    yield from _others(setting, stand)
    yield from _times(setting, stand)


def _ours(stand: _Stand) -> Iterator[tuple[str, Nearness, float]]:
    """Every build: name, nearness, seconds of its correction on two cores."""
    equal = _equalized(stand)
    even = stand.calibrated(equal)
    for method, table in stand.tables.items():
        yield method, stand.nearness(table), 0.0
        yield f"{method} + weight_equalization", stand.nearness(even[method], equal), 0.0
        for name, correct in CORRECTIONS.items():
            if name == "adaround" and method not in LEARNED:
                continue
            start = time.process_time()  # of both threads; waiting for others does not count
            made: Corrected = correct(stand.graph, stand.bench(table))
            seconds = (time.process_time() - start) / 2
            yield f"{method} + {name}", stand.nearness(table, made.graph), seconds


def _equalized(stand: _Stand) -> Graph:
    engine = FloatEngine(float_twin(stand.graph), 2)
    return equalize_weights(
        stand.graph, lambda names: (engine.run(batch, list(names)) for batch in stand.batches)
    ).graph


def _stand(setting: Setting) -> _Stand:
    setting.tpuc("accuracy", *_model(setting, setting.pictures), "stop_after=import")
    graph = load_mlir(setting.work / "accuracy" / "run" / "efficientnet_lite0.mlir")
    judged = Judged(setting.pictures, graph)
    name, learned = graph.inputs[0].name, judged.learned
    batches = [{name: learned[i : i + BATCH]} for i in range(0, len(learned), BATCH)]
    processor = load_processor(yaml.safe_load(FACTS.read_text()))
    stand = _Stand(graph, processor, judged, {}, batches)
    stand.tables = stand.calibrated(graph)
    return stand


def _model(setting: Setting, pictures: Path) -> tuple[str, ...]:
    network = f"model.path={setting.network}"
    return ("recipe=efficientnet_lite0", network, f"dataset.path={pictures}")


def _others(setting: Setting, stand: _Stand) -> Iterator[Line]:
    for method in ("minmax", "percentile"):
        folder = setting.folder(f"accuracy_{method}")
        learned = stand.judged.learned
        session = qdq.session(setting.network, 1, learned, 2, folder, method)
        name = session.get_inputs()[0].name
        outputs = [session.run(None, {name: view[None]})[0] for view in stand.judged.views]
        near = stand.judged.nearness(np.concatenate(outputs))
        yield Line(f"onnxruntime, {method}", str(near))
    if setting.vendor is None:
        return
    for method in VENDORS:
        extra = [] if method == "kl" else ["--cali_method", f"use_{method}"]
        run = _vendors(setting, stand, f"accuracy_vendor_{method}", *extra)
        table = table_text.read(setting.work / f"accuracy_vendor_{method}" / "table")
        near = stand.nearness(table)
        yield Line(f"TPU-MLIR, {method}", str(near), f"{run.seconds:.0f} s")


def _times(setting: Setting, stand: _Stand) -> Iterator[Line]:
    """Whole processes that calibrate and correct biases."""
    pictures = _folder(setting, stand)
    ours = setting.tpuc(
        "accuracy_bc", *_model(setting, pictures), "correction=bias_correction", "cache=null",
        f"calibration.input_num={len(stand.judged.learn)}", "stop_after=correct",
    )  # fmt: skip
    figure = f"calibration and bias correction, {len(stand.judged.learn)} pictures"
    if setting.vendor is None:
        yield Line(figure, _spent(ours), "", f"{FASTER:.0f} x TPU-MLIR")
        return
    theirs = _vendors(setting, stand, "accuracy_vendor_bc", "--bc", "--bc_inference_num", "30",
                      "--expected_cos", "0.9999")  # fmt: skip
    ratio = theirs.seconds / ours.seconds
    goal = f"{ratio:.1f} x of {FASTER:.0f} x"
    yield Line(figure, _spent(ours), f"TPU-MLIR {_spent(theirs)}", goal, ratio >= FASTER)


def _spent(run: Finished) -> str:
    return f"{run.seconds:.1f} s, busy {run.busy:.1f} s"


def _folder(setting: Setting, stand: _Stand) -> Path:
    folder = setting.folder("accuracy_pictures")
    for file in stand.judged.learn:
        shutil.copy(file, folder / file.name)
    return folder


def _vendors(setting: Setting, stand: _Stand, name: str, *more: str) -> Finished:
    folder = setting.folder(name)
    for file in (setting.work / "accuracy" / "run").glob("efficientnet_lite0*"):
        if file.suffix in (".mlir", ".npz"):
            shutil.copy(file, folder / file.name)
    return setting.vendors(
        name, "run_calibration", "efficientnet_lite0.mlir", "--dataset", _folder(setting, stand),
        "--input_num", str(len(stand.judged.learn)), "--chip", "bm1684x", "--quantize_table",
        "qtable", "-o", "table", *more, may_fail="--bc" in more,
    )  # fmt: skip
