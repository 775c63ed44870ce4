"""Instructions for BM1684X beside TPU-MLIR's for the same table; outputs on its chip simulator.

TPUC_NETWORKS=NAME_SIZE,... names the networks (default: all of `NETWORKS`).
TPUC_CHIP_INPUTS=N inputs on the chip simulator (default 20, seconds to minutes each; 0: none).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import yaml

from tests.backends.bm1684x.running import run_there
from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting
from tests.golden import networks
from tpuc.backends.bm1684x import compile_graph, decode_stream, estimate, why_not
from tpuc.backends.bm1684x.decode import Decoded
from tpuc.backends.bm1684x.footprint import ELEMENT_BYTES, Zeros
from tpuc.backends.bmodel import write_bmodel
from tpuc.backends.bmodel.container import read_container
from tpuc.calibration import table as table_text
from tpuc.dataset import open_samples, select_files
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import lower
from tpuc.processors import load_processor
from tpuc.simulator import Program
from tpuc.zoo import resolve

__all__ = ["lines"]

ROOT = Path(__file__).parents[2]
NETWORKS = [
    "efficientnet_lite0_224",
    "resnet18_224",
    "mobilenet_v2_224",
    "efficientnet_lite0_448",
    "resnet18_448",
    "mobilenet_v2_448",
    "digits_8",
    *(f"{name}_64" for name in networks.NAMES),
]
INPUTS = 20
_GOAL = 1.3
_SECONDS = 5.0


@dataclass(frozen=True)
class Streams:
    """What both compilers are asked about."""

    tiu: list[Decoded]
    dma: list[Decoded]
    instructions: int
    weights: int
    tensors: int

    @property
    def cycles(self) -> int:
        return estimate(self.tiu, self.dma).total

    @property
    def moved(self) -> int:
        """Bytes that the DMA moves."""
        return sum(_bytes(command) for command in self.dma)


def _bytes(command: Decoded) -> int:
    f = Zeros(command.fields)
    size = ELEMENT_BYTES[f["type"]]
    if command.kind == "dma_matrix":
        far = "s" if f["s_high"] else "r"
        return size * f[f"{far}_h"] * f[f"{far}_w"]
    if command.kind == "dma_gather":
        return size * f["r_h"] * f["r_w"]
    return size * int(np.prod([max(f[f"s_{axis}"], 1) for axis in "nchw"]))


def lines(setting: Setting) -> Iterator[Line]:
    """Some lines a network; without TPU-MLIR only what is ours."""
    asked = os.environ.get("TPUC_NETWORKS", "").replace(",", " ").split() or NETWORKS
    if unknown := set(asked) - set(NETWORKS):
        raise ValueError(f"TPUC_NETWORKS: no network {sorted(unknown)}")
    for label in asked:
        yield from _network(setting, label)


def _network(setting: Setting, label: str) -> Iterator[Line]:
    run, table = _imported(setting, label)
    name = label.rsplit("_", 1)[0]
    facts = yaml.safe_load((ROOT / "conf/processor/bm1684x.yaml").read_text())
    graph = lower(load_mlir(run / f"{name}.mlir"), table_text.read(table), load_processor(facts))
    if (missing := why_not(graph.graph)) is not None:
        yield Line(f"{label}: {missing.reason}", "no instructions", met=False)
        return
    start = time.process_time()
    native = compile_graph(graph.graph)
    seconds = time.process_time() - start
    path = run / "ours.bmodel"
    write_bmodel(path, graph.graph, chip="BM1684X", native=native)
    ours = Streams(
        decode_stream(native.tiu, "tiu"),
        decode_stream(native.dma, "dma"),
        len(native.tiu) + len(native.dma),
        len(native.coefficients),
        native.context[1],
    )
    met = seconds < _SECONDS
    yield Line(f"{label}: compiled in", f"{seconds:.2f} s", goal=f"< {_SECONDS:.0f} s", met=met)
    theirs, profile = _theirs(setting, run, name, table) if setting.vendor else (None, None)
    yield from _beside(label, ours, theirs, profile)
    count = int(os.environ.get("TPUC_CHIP_INPUTS", INPUTS))
    if setting.vendor is not None and count:
        yield _on_the_chip(setting, label, (path, graph.graph), count)


def _beside(
    label: str, ours: Streams, theirs: Streams | None, profile: int | None
) -> Iterator[Line]:
    def figures(s: Streams) -> dict[str, str]:
        return {
            "bytes of instructions": f"{s.instructions:,}",
            "commands TIU + DMA": f"{len(s.tiu)} + {len(s.dma)}",
            "global memory, weights + tensors": f"{s.weights:,} + {s.tensors:,}",
            "bytes that the DMA moves": f"{s.moved:,}",
        }

    beside = figures(theirs) if theirs else {}
    for figure, measured in figures(ours).items():
        yield Line(f"{label}: {figure}", measured, beside.get(figure, ""))
    measured = f"{ours.cycles:,} ({ours.cycles / 1e6:.3f} ms)"
    if theirs is None or profile is None:
        yield Line(f"{label}: predicted cycles", measured)
        return
    factor = ours.cycles / profile
    against = f"{profile:,}, by our model {theirs.cycles:,}"
    goal = f"{_GOAL} x: {factor:.2f}"
    yield Line(f"{label}: predicted cycles", measured, against, goal, factor <= _GOAL)


def _imported(setting: Setting, label: str) -> tuple[Path, Path]:
    """Run folder with the network, and its table."""
    name, size = label.rsplit("_", 1)
    folder = f"bm1684x_{label}"
    run = setting.work / folder / "run"
    if name == "digits":
        setting.tpuc(folder, "recipe=digits", "stop_after=calibrate")
        return run, run / "digits_cali_table"
    plain = setting.network if name == "efficientnet_lite0" else _golden(setting, name)
    path = _resized(plain, int(size), setting.folder(folder) / f"{name}.onnx")
    mean = "model.preprocess.mean=[127,127,127]"
    scale = "model.preprocess.scale=[0.0078125,0.0078125,0.0078125]"
    last = "stop_after=" + ("calibrate" if name == "efficientnet_lite0" else "import")
    setting.tpuc(folder, "recipe=custom", f"model.path={path}", f"model.name={name}", mean, scale,
                 f"dataset.path={setting.pictures}", last)  # fmt: skip
    golden = name != "efficientnet_lite0"
    return run, networks.table_file(name) if golden else run / f"{name}_cali_table"


def _golden(setting: Setting, name: str) -> Path:
    return networks.onnx_file(name, setting.folder("golden"))


def _resized(source: Path, size: int, path: Path) -> Path:
    """The network for pictures of another size."""
    model = onnx.load(str(source))
    for value in model.graph.input:
        for axis in (2, 3):
            value.type.tensor_type.shape.dim[axis].dim_value = size
    del model.graph.value_info[:]
    onnx.save(model, str(path))
    return path


def _theirs(setting: Setting, run: Path, name: str, table: Path) -> tuple[Streams, int]:
    """What TPU-MLIR compiles of the same table, and the cycles that it prints."""
    folder = str(run.relative_to(setting.work))
    setting.vendors(folder, "model_deploy", "--mlir", f"{name}.mlir", "--quantize", "INT8",
                    "--processor", "bm1684x", "--calibration_table", table,
                    "--model", "theirs.bmodel", "--debug")  # fmt: skip
    container = read_container(run / "theirs.bmodel")
    group = container.model["net"][0]["parameter"][0]["cmd_group"][0]
    said = setting.vendors(folder, "model_tool", "--info", "theirs.bmodel").output
    sizes = re.search(r"\(weight: (\d+), instruct: (\d+), runtime: (\d+)\)", said)
    time_ms = re.search(r"runtime: ([\d.]+)ms", (run / "compiler_profile_0.txt").read_text())
    assert sizes is not None and time_ms is not None
    weights, instructions, tensors = map(int, sizes.groups())
    tiu, dma = (container.blob(group[f"binary_{k}"], k) for k in ("bdc", "gdma"))
    streams = decode_stream(tiu, "tiu"), decode_stream(dma, "dma")
    return Streams(*streams, instructions, weights, tensors), round(float(time_ms[1]) * 1e6)


def _on_the_chip(setting: Setting, label: str, built: tuple[Path, Graph], count: int) -> Line:
    """Outputs as stored, of TPU-MLIR's chip simulator and of ours."""
    path, graph = built
    program = Program(graph)
    equal = total = 0
    for feeds in _inputs(setting, label, graph, count):
        expected = program.run(feeds, raw=True)
        found = run_there(path, graph, feeds)
        equal += all(np.array_equal(found[v.name], expected[v.name]) for v in graph.outputs)
        total += 1
    what = f"{label}: inputs with equal outputs on the chip simulator"
    return Line(what, f"{equal} of {total}", goal="all", met=equal == total)


def _inputs(
    setting: Setting, label: str, graph: Graph, count: int
) -> Sequence[dict[str, np.ndarray]]:
    (source,) = graph.inputs
    digits = label.startswith("digits")
    folder = resolve("zoo:digits_test", setting.work / "cache/zoo") if digits else setting.pictures
    files = select_files(folder, None)
    (samples,) = next(open_samples(files, graph).batches(count)).values()
    return [{source.name: sample[None]} for sample in samples]
