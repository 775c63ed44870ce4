"""INT8 and 8-bit float tensors, bit by bit, against TPU-MLIR with the same calibration table.

TPUC_PROCESSORS=NAME,NAME names the processors (default: all that INT8 is built for),
TPUC_NETWORKS=NAME,NAME the networks.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import yaml

from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting
from tests.golden.weights import fill_weights
from tpuc.calibration import table as table_text
from tpuc.dataset import open_samples, select_files
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import lower
from tpuc.processors import Processor, load_processor
from tpuc.simulator import Program

__all__ = ["asked_processors", "lines", "prepared"]

ROOT = Path(__file__).parents[2]
SAMPLES = 20
FACTS = ROOT / "conf" / "processor"
GOLDEN = ("mobilenet_v2", "resnet18")
TABLES = {"INT8": "table", "F8E4M3": "float8_table", "F8E5M2": "float8_table"}


def lines(setting: Setting) -> Iterator[Line]:
    """One line a network; without TPU-MLIR only what is left out."""
    if setting.vendor is None:
        yield Line("INT8 tensors against TPU-MLIR", "left out", goal="set TPUC_VENDOR")
        return
    for name, run in prepared(setting):
        for processor in asked_processors():
            for mode in [m for m in TABLES if m in processor.built]:
                yield _compare(setting, run, name, processor, mode)


def prepared(setting: Setting) -> Iterator[tuple[str, Path]]:
    """Networks: the name, and a folder with Top graph, weights and TPU-MLIR's tables."""
    mean = "model.preprocess.mean=[127,127,127]"
    scale = "model.preprocess.scale=[0.0078125,0.0078125,0.0078125]"
    networks = {"efficientnet_lite0": setting.network}
    networks |= {name: _golden(setting, name) for name in GOLDEN}
    asked = os.environ.get("TPUC_NETWORKS", "").replace(",", " ").split() or list(networks)
    for name, path in [(name, networks[name]) for name in asked]:
        folder = f"exact_{name}"
        setting.tpuc(folder, "recipe=custom", f"model.path={path}", f"model.name={name}", mean,
                     scale, f"dataset.path={setting.pictures}", "stop_after=import")  # fmt: skip
        run = f"{folder}/run"
        setting.vendors(run, "run_calibration", f"{name}.mlir", "--dataset", setting.pictures,
                        "--input_num", str(SAMPLES), "--tune_num", "5", "-o", "table")  # fmt: skip
        setting.vendors(run, "run_calibration", f"{name}.mlir", "--dataset", setting.pictures,
                        "--input_num", str(SAMPLES), "--debug_cmd", "fp8", "--cali_method", "max",
                        "-o", "float8_table")  # fmt: skip
        yield name, setting.work / run


def asked_processors() -> list[Processor]:
    """Those asked for, or all that build INT8."""
    every = [load_processor(yaml.safe_load(p.read_text())) for p in sorted(FACTS.glob("*.yaml"))]
    asked = os.environ.get("TPUC_PROCESSORS", "").replace(",", " ").split()
    unknown = set(asked) - {p.name for p in every}
    if unknown:
        raise ValueError(f"TPUC_PROCESSORS: no processor {sorted(unknown)}")
    return [p for p in every if "INT8" in p.built and (p.name in asked or not asked)]


def _golden(setting: Setting, name: str) -> Path:
    """A golden network with its made weights."""
    model = onnx.load(str(ROOT / "tests" / "golden" / "networks" / f"{name}.onnx"))
    fill_weights(model)
    path = setting.folder("golden") / f"{name}.onnx"
    onnx.save(model, str(path))
    return path


def _compare(setting: Setting, run: Path, name: str, processor: Processor, mode: str) -> Line:
    graph = load_mlir(run / f"{name}.mlir")
    files = select_files(setting.pictures, None)[:SAMPLES]
    batch = next(open_samples(files, graph).batches(len(files)))
    (samples,) = batch.values()
    theirs = _vendor_digests(setting, run, f"{name} {processor.name} {mode}", samples)
    lowered = lower(graph, table_text.read(run / TABLES[mode]), processor, mode).graph
    equal, total = _count_equal(lowered, samples, theirs)
    return Line(
        f"{processor.name}: {mode} tensors of {name}, {len(samples)} pictures, equal bits",
        f"{equal} of {total}",
        goal="all",
        met=equal == total,
    )


def _vendor_digests(
    setting: Setting, run: Path, what: str, samples: np.ndarray
) -> list[dict[str, str]]:
    """Digests of TPU-MLIR's tensors, for each sample; `what` is network, processor and type.

    Limits of fused relus are taken out of F8E4M3 programs: TPU-MLIR compares them with sums in
    units of their scale.
    """
    name, processor, mode = what.split()
    folder = str(run.relative_to(setting.work))
    setting.vendors(folder, "model_deploy", "--mlir", f"{name}.mlir", "--quantize", mode,
                    "--processor", processor, "--calibration_table", TABLES[mode],
                    "--model", f"{name}.bmodel", "--not_gen_bmodel")  # fmt: skip
    np.savez(run / "samples.npz", samples=samples)
    (lowered,) = run.glob(f"{name}_{processor}_{mode.lower()}*_tpu.mlir")
    if mode == "F8E4M3":
        text = lowered.read_text()
        lowered.write_text(re.sub(r"relu_limit = [0-9][^ ]*", "relu_limit = -1.000000e+00", text))
    script = Path(__file__).with_name("vendor_tensors.py")
    setting.vendors(folder, "python", script, lowered.name, "samples.npz", "tensors.json")
    found: list[dict[str, str]] = json.loads((run / "tensors.json").read_text())
    return found


def _count_equal(
    lowered: Graph, samples: np.ndarray, theirs: list[dict[str, str]]
) -> tuple[int, int]:
    """(equal tensors, tensors of TPU-MLIR's), over all samples."""
    program = Program(lowered)
    name = lowered.inputs[0].name
    equal = 0
    for sample, known in zip(samples, theirs):
        results = program.run({name: sample[None]}, observe="all")
        for tensor, digest in known.items():
            mine = results.get(tensor)
            if mine is not None:
                text = np.ascontiguousarray(mine, "<f4").tobytes()
                equal += hashlib.sha256(text).hexdigest() == digest
    return equal, sum(len(known) for known in theirs)
