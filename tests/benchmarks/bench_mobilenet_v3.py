"""Where corrections matter: a trained MobileNetV3-small, whose classes are known.

Thresholds and corrections on lines of text that nothing was learned from: share of right classes,
share of float's classes, output cosine. Then `correction=auto` from the command line, which has to
see that biases gain here, and, on a small transformer, that SmoothQuant hurts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting
from tests.benchmarks.text_lines import SHAPE, lines_of_text, network
from tests.golden import transformers
from tpuc.artifacts import CalibrationTable
from tpuc.calibration import Options, calibrate
from tpuc.calibration import table as table_text
from tpuc.correction import Bench, correct_biases, equalize_weights, learn_rounding
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import Lowerer, Memo, float_twin, lower
from tpuc.processors import Processor, load_processor
from tpuc.simulator import FloatEngine, Program, SideBySide

__all__ = ["lines"]

METHODS = ("kl", "mse", "max")
CHIPS = ("bm1684x", "bm1684")
LEARNED, JUDGED, BATCH = 100, 500, 10
NEAR = 0.005
FACTS = Path(__file__).parents[2] / "conf" / "processor"


@dataclass
class _Stand:
    """The network, lines to learn from, lines to judge on and their classes."""

    graph: Graph
    learn: list[dict[str, np.ndarray]]
    judge: list[dict[str, np.ndarray]]
    classes: np.ndarray
    truth: np.ndarray

    def tables(self, graph: Graph) -> dict[str, CalibrationTable]:
        options = Options(METHODS, LEARNED, threads=2)
        engine = FloatEngine(float_twin(graph), 1)
        first = next(iter(self.learn[0].values()))
        return calibrate(graph, engine, self.learn, options, {graph.inputs[0].name: first}).tables

    def bench(self, table: CalibrationTable, chip: Processor) -> Bench:
        memo = Memo()
        return Bench(
            float_twin(self.graph),
            lambda g: Lowerer(g, chip, memo).lower(table, "INT8").graph,
            lambda one, other: SideBySide(one, other, self.learn, 2),
            LEARNED,
            2,
        )

    def judged(self, graph: Graph, table: CalibrationTable, chip: Processor) -> _Judged:
        program = Program(lower(graph, table, chip).graph, 2)
        return self.of([next(iter(program.run(batch).values())) for batch in self.judge])

    def of(self, outputs: list[np.ndarray]) -> _Judged:
        a, b = self.truth, np.concatenate(outputs)
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        found = b.argmax(axis=1)
        return _Judged(
            float(np.mean(found == self.classes)),
            float(np.mean(found == a.argmax(axis=1))),
            float(np.mean((a * b).sum(axis=1) / norms)),
        )


@dataclass(frozen=True)
class _Judged:
    right: float
    agreement: float
    cos: float

    def __str__(self) -> str:
        return f"{100 * self.right:.1f} %, {100 * self.agreement:.1f} %, {self.cos:.4f}"


def lines(setting: Setting) -> Iterator[Line]:
    """Float, every build, `auto`; then the transformer."""
    folder = setting.folder("mobilenet_v3")
    file = network(folder)
    inputs, classes = lines_of_text(LEARNED + JUDGED)
    for i, picture in enumerate(inputs[:LEARNED]):
        (folder / "lines").mkdir(exist_ok=True)
        np.savez(folder / "lines" / f"{i:03}.npz", x=picture[None])
    keys = (
        "recipe=custom", f"model.path={file}", "model.name=text_lines",
        f"model.input_shapes=[[1,{','.join(map(str, SHAPE))}]]",
        f"dataset.path={folder / 'lines'}",
    )  # fmt: skip
    setting.tpuc("mobilenet_v3", *keys, "stop_after=import")
    stand = _stand(load_mlir(folder / "run" / "text_lines.mlir"), inputs, classes)
    figure = f"MobileNetV3-small on {JUDGED} lines of text: right, as float, cosine"
    yield Line(figure, str(stand.of([stand.truth])), "float")
    for chip in CHIPS:
        yield from _corrected(stand, chip)
        yield _auto(setting, stand, keys, chip)
    yield _transformer(setting)


def _stand(graph: Graph, inputs: np.ndarray, classes: np.ndarray) -> _Stand:
    name, out = graph.inputs[0].name, graph.outputs[0].name
    batches = [{name: inputs[i : i + BATCH]} for i in range(0, len(inputs), BATCH)]
    learn, judge = batches[: LEARNED // BATCH], batches[LEARNED // BATCH :]
    engine = FloatEngine(float_twin(graph), 2)
    truth = np.concatenate([engine.run(batch, [out])[out] for batch in judge])
    return _Stand(graph, learn, judge, classes[LEARNED:], truth)


def _processor(chip: str) -> Processor:
    return load_processor(yaml.safe_load((FACTS / f"{chip}.yaml").read_text()))


def _corrected(stand: _Stand, chip: str) -> Iterator[Line]:
    processor, graph = _processor(chip), stand.graph
    engine = FloatEngine(float_twin(graph), 2)
    equal = equalize_weights(
        graph, lambda names: (engine.run(batch, list(names)) for batch in stand.learn)
    ).graph
    even = stand.tables(equal)
    for method, table in stand.tables(graph).items():
        plain = stand.judged(graph, table, processor)
        yield Line(f"{chip}, {method}", str(plain))
        made = stand.judged(equal, even[method], processor)
        yield Line(f"{chip}, {method} + weight_equalization", str(made))
        for name, corrected in (
            ("bias_correction", correct_biases(graph, stand.bench(table, processor), 1.0)),
            ("adaround", learn_rounding(graph, stand.bench(table, processor))),
        ):
            made = stand.judged(corrected.graph, table, processor)
            met = made.cos >= plain.cos - NEAR
            yield Line(f"{chip}, {method} + {name}", str(made), "", "no further from float", met)


def _auto(setting: Setting, stand: _Stand, keys: tuple[str, ...], chip: str) -> Line:
    """What `auto` keeps is as near as the nearest of the starts."""
    name = f"mobilenet_v3_{chip}"
    setting.tpuc(
        name, *keys, "correction=auto", f"processor={chip}", "calibration.input_num=60",
        "correction.auto_num=40", "report.html=false",
    )  # fmt: skip
    run = setting.work / name / "run"
    found = json.loads((run / "report.json").read_text())["correction"]
    processor = _processor(chip)
    table = table_text.read(run / "text_lines_cali_table")
    made = stand.judged(load_mlir(run / "text_lines.mlir"), table, processor)
    starts = stand.tables(stand.graph)
    plain = max((stand.judged(stand.graph, t, processor) for t in starts.values()),
                key=lambda judged: judged.cos)  # fmt: skip
    met = made.cos >= plain.cos - NEAR
    return Line(f"{chip}, auto: {found['chosen']}", str(made), f"nearest start: {plain}",
                "no further from float", met)  # fmt: skip


def _transformer(setting: Setting) -> Line:
    """A small ViT, where SmoothQuant loses."""
    folder = setting.folder("auto_transformer")
    transformers.onnx_file("vit", folder)
    (folder / "samples").mkdir(exist_ok=True)
    for index in range(24):
        np.savez(folder / "samples" / f"{index:02}.npz", **transformers.sample("vit", index))
    setting.tpuc(
        "auto_transformer", "recipe=custom", f"model.path={folder / 'vit.onnx'}",
        f"dataset.path={folder / 'samples'}", "correction=auto", "calibration.input_num=12",
        "correction.adaround_num=4", "correction.bc_inference_num=4", "correction.auto_num=12",
        "report.html=false",
    )  # fmt: skip
    found = json.loads((folder / "run" / "report.json").read_text())["correction"]
    scores = dict(found["trials"])
    smooth = max(score for name, score in scores.items() if name.startswith("smoothquant"))
    plain = max(score for name, score in scores.items() if "+" not in name)
    met = smooth < plain and not found["chosen"].startswith("smoothquant")
    return Line(
        f"small ViT, auto: {found['chosen']}", f"{scores[found['chosen']]:.5f}",
        f"plain {plain:.5f}, smoothquant {smooth:.5f}", "no smoothquant, which hurts", met,
    )  # fmt: skip
