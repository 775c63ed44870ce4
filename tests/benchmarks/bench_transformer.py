"""INT8 simulation of all-MiniLM-L6-v2 against onnxruntime's dynamic INT8."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml
from tpuc.kernels._cpu import isa_name

from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting
from tests.benchmarks.turns import in_turn
from tpuc.calibration import table as table_text
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import lower
from tpuc.processors import load_processor
from tpuc.simulator import Program
from tpuc.zoo import resolve
from tpuc.zoo.minilm import INPUTS

__all__ = ["lines"]

BATCHES = (1, 8)
ROUNDS = 8
NAME = "minilm"


def lines(setting: Setting) -> Iterator[Line]:
    """Milliseconds a sentence by batch and threads, shortest of many runs in turn."""
    graph = _lowered(setting)
    zoo = setting.work / "cache" / "zoo"
    samples = np.load(resolve("zoo:sentences_test", zoo))
    theirs = _dynamic(resolve("zoo:minilm", zoo), setting.folder("transformer"))
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        program, session = Program(graph, threads), _session(theirs, threads)
        for batch in BATCHES:
            words = {name: samples[name][:batch] for name in INPUTS}
            numbers = {name: v.astype(np.float32) for name, v in words.items()}
            found = in_turn(
                ROUNDS,
                lambda p=program, x=numbers: p.run(x),
                lambda s=session, x=words: s.run(None, x),
            )
            ours_s, theirs_s = map(min, found)
            yield Line(
                f"INT8 {NAME}, 32 words, batch {batch}, {threads} threads, {isa_name()}",
                f"{ours_s / batch * 1e3:.2f} ms/sentence",
                f"onnxruntime {theirs_s / batch * 1e3:.2f} ms",
                f"1 x faster: {theirs_s / ours_s:.2f}",
                ours_s <= theirs_s,
            )


def _lowered(setting: Setting) -> Graph:
    """The network, every op in INT8, on a kl table of its own."""
    setting.tpuc("transformer", "recipe=minilm_bm1684x", "stop_after=calibrate")
    run = setting.work / "transformer" / "run"
    facts = yaml.safe_load(
        (Path(__file__).parents[2] / "conf" / "processor" / "bm1684x.yaml").read_text()
    )
    table = table_text.read(run / f"{NAME}_cali_table")
    return lower(load_mlir(run / f"{NAME}.mlir"), table, load_processor(facts)).graph


def _dynamic(network: Path, folder: Path) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = folder / "dynamic.onnx"
    quantize_dynamic(network, path, weight_type=QuantType.QInt8)
    return path


def _session(path: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
