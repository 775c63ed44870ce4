"""Accuracy: INT8 EfficientNet-Lite0 against float on pictures that nothing was learned from.

Every threshold method without a correction and with each one; TPU-MLIR's own tables; onnxruntime's
static quantization. Shown: same first class as float, and output cosine. SmoothQuant and softmax
correction find no place in this network, which is looked at too.
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
from tests.benchmarks.setting import Setting, vendor_calibration
from tpuc.artifacts import CalibrationTable
from tpuc.calibration import Options, calibrate
from tpuc.calibration import table as table_text
from tpuc.correction import (
    Bench,
    Corrected,
    Tensors,
    correct_biases,
    correct_softmaxes,
    equalize_weights,
    learn_rounding,
    smooth_activations,
)
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import Lowerer, Memo, float_twin, lower
from tpuc.processors import Processor, load_processor
from tpuc.simulator import FloatEngine, SideBySide

__all__ = ["lines"]

METHODS = ("kl", "mse", "max", "percentile9999", "aciq_gauss", "aciq_laplace", "torch_observer")
VENDORS = ("kl", "mse")
AGREEMENT = 0.98
SLOWEST = 180.0
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
    floats: int = 0

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
        layers = [n for n in lowered.nodes if n.op not in ("Input", "Cast")]
        self.floats += sum(n.output.dtype.is_float for n in layers)
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
    figure = f"nearest of all, {stand.floats} float layers: {best}"
    yield Line(figure, str(found[best]), "", f"{AGREEMENT:.0%}", met and not stand.floats)
    yield _no_place(stand)
    yield from _others(setting, stand)


def _ours(stand: _Stand) -> Iterator[tuple[str, Nearness, float]]:
    """Every build: name, nearness, seconds of its correction on two cores."""
    equal = _equalized(stand)
    even = stand.calibrated(equal)
    for method, table in stand.tables.items():
        yield method, stand.nearness(table), 0.0
        yield f"{method} + weight_equalization", stand.nearness(even[method], equal), 0.0
        for name, correct in CORRECTIONS.items():
            start = time.process_time()  # of both threads; waiting for others does not count
            made: Corrected = correct(stand.graph, stand.bench(table))
            seconds = (time.process_time() - start) / 2
            yield f"{method} + {name}", stand.nearness(table, made.graph), seconds


def _tensors(stand: _Stand) -> Tensors:
    engine = FloatEngine(float_twin(stand.graph), 2)
    return lambda names: (engine.run(batch, list(names)) for batch in stand.batches)


def _equalized(stand: _Stand) -> Graph:
    return equalize_weights(stand.graph, _tensors(stand)).graph


def _no_place(stand: _Stand) -> Line:
    made = [correct(stand.graph, _tensors(stand)) for correct in (smooth_activations,
                                                                  correct_softmaxes)]  # fmt: skip
    found = sum(len(one.notes) for one in made)
    return Line("places of smoothquant and softmax_correction", str(found), "", "none", not found)


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
        name, count = f"accuracy_vendor_{method}", len(stand.judged.learn)
        pictures = _folder(setting, stand)
        run = vendor_calibration(setting, "accuracy", name, pictures, count, *extra)
        table = table_text.read(setting.work / name / "table")
        near = stand.nearness(table)
        yield Line(f"TPU-MLIR, {method}", str(near), f"{run.seconds:.0f} s")


def _folder(setting: Setting, stand: _Stand) -> Path:
    folder = setting.folder("accuracy_pictures")
    for file in stand.judged.learn:
        shutil.copy(file, folder / file.name)
    return folder
