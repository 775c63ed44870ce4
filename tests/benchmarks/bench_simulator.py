"""INT8 simulation of EfficientNet-Lite0 against onnxruntime's INT8 (and TPU-MLIR's simulation)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from tpuc.kernels._cpu import isa_name

from tests.benchmarks.lines import Line
from tests.benchmarks.qdq import session
from tests.benchmarks.setting import Setting
from tests.benchmarks.turns import in_turn
from tpuc.calibration import table as table_text
from tpuc.dataset import open_samples, select_files
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import lower
from tpuc.processors import load_processor
from tpuc.simulator import Program

__all__ = ["lines"]

HERE = Path(__file__).parent
BATCHES = (1, 8)
ROUNDS = 4
NAME = "efficientnet_lite0"


def lines(setting: Setting) -> Iterator[Line]:
    """Milliseconds a picture by batch, the conv layers' rate, and the vendor's rate."""
    threads = len(os.sched_getaffinity(0))
    graph, samples = _lowered(setting)
    program = Program(graph, threads)
    (name,) = (v.name for v in graph.inputs)
    best = 0.0
    for batch in BATCHES:
        pictures = np.resize(samples, (batch, *samples.shape[1:]))
        theirs = session(setting.network, batch, samples, threads, setting.folder("simulator"))
        source = theirs.get_inputs()[0].name
        found = in_turn(
            ROUNDS,
            lambda x=pictures: program.run({name: x}),
            lambda x=pictures, s=theirs, n=source: s.run(None, {n: x}),
        )
        ours_s, theirs_s = (float(np.median(seconds)) for seconds in found)
        best = max(best, batch / ours_s)
        yield Line(
            f"INT8 {NAME}, batch {batch}, {threads} threads, {isa_name()}",
            f"{ours_s / batch * 1e3:.2f} ms/picture",
            f"onnxruntime {theirs_s / batch * 1e3:.2f} ms",
            f"1 x faster: {theirs_s / ours_s:.2f}",
            ours_s <= theirs_s,
        )
    yield from _conv_rates(graph, name, samples)
    if setting.vendor is not None:
        yield _against_vendor(setting, best)


def _lowered(setting: Setting) -> tuple[Graph, np.ndarray]:
    """The network in INT8 on a kl table of its own, and 8 pictures."""
    setting.tpuc("simulator", f"recipe={NAME}", "stop_after=calibrate")
    run = setting.work / "simulator" / "run"
    graph = load_mlir(run / f"{NAME}.mlir")
    table = table_text.read(run / f"{NAME}_cali_table")
    facts = yaml.safe_load((HERE.parents[1] / "conf/processor/bm1684x.yaml").read_text())
    files = select_files(setting.pictures, None)[:8]
    (samples,) = next(open_samples(files, graph).batches(8)).values()
    return lower(graph, table, load_processor(facts)).graph, samples


def _macs(graph: Graph) -> dict[str, tuple[bool, int]]:
    """(depthwise, multiply-adds) of each conv layer."""
    found = {}
    for node in graph.nodes:
        if node.op == "Conv2D":
            filters = node.weight(1)
            per_output = int(np.prod(filters.shape[1:]))
            depthwise = filters.shape[1] == 1 and node.attrs["group"] != 1
            found[node.name] = (depthwise, per_output * node.output.size)
    return found


def _conv_rates(graph: Graph, name: str, samples: np.ndarray) -> Iterator[Line]:
    """Of one thread, so that waiting for another does not count."""
    peak = _peak(isa_name())
    for batch in BATCHES:
        pictures = np.resize(samples, (batch, *samples.shape[1:]))
        times = Program(graph, 1).profile({name: pictures}, 15)
        for kind in (False, True):
            chosen = {k: m for k, (depthwise, m) in _macs(graph).items() if depthwise == kind}
            seconds = sum(times[k] for k in chosen)
            rate = batch * sum(chosen.values()) / seconds / 1e9
            share = f"{rate / peak:.0%} of VNNI peak {peak:.0f}" if peak else "no VNNI here"
            what = "depthwise" if kind else "dense"
            yield Line(f"{what} conv layers, batch {batch}, 1 thread", f"{rate:.0f} GMAC/s", share)


def _peak(isa: str) -> float | None:
    """Measured peak of one core in GMAC/s."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if isa != "vnni" or compiler is None:
        return None
    target = Path(os.environ.get("TMPDIR", "/tmp")) / f"vnni_peak_{os.getpid()}"
    flags = ["-O2", "-mavx512f", "-mavx512vnni"]
    try:
        command = [compiler, *flags, str(HERE / "vnni_peak.c"), "-o", str(target)]
        subprocess.run(command, check=True)
        out = subprocess.run([str(target)], check=True, capture_output=True, text=True).stdout
    finally:
        target.unlink(missing_ok=True)
    return float(out.split()[0])


def _against_vendor(setting: Setting, ours: float) -> Line:
    """Pictures a second of TPU-MLIR's own simulation, as its progress says."""
    folder = "simulator/run"
    setting.vendors(
        folder, "model_deploy", "--mlir", f"{NAME}.mlir", "--quantize", "INT8",
        "--processor", "bm1684x", "--calibration_table", f"{NAME}_cali_table",
        "--model", f"{NAME}.bmodel", "--not_gen_bmodel",
    )  # fmt: skip
    run = setting.work / folder
    lowered = next(run.glob(f"{NAME}_bm1684x_int8_sym_tpu.mlir"))
    out = setting.vendors(folder, "python", HERE / "vendor_speed.py", lowered.name).output
    found = re.search(r"pictures_per_second ([\d.]+)", out)
    theirs = float(found.group(1)) if found else 0.0
    return Line(
        f"INT8 {NAME}, pictures a second",
        f"{ours:.0f}",
        f"TPU-MLIR {theirs:.1f}",
        f"25 x faster: {ours / theirs:.0f}" if theirs else "25 x faster",
        bool(theirs) and ours >= 25 * theirs,
    )
