"""Tensors of every type that a processor has but INT8 and 8-bit floats, against TPU-MLIR.

A line a processor and type, one picture for each network: tensors of equal bits, of how many, and
where floats differ the largest difference in units of the tensor's largest number. Both sides
have the same calibration table. TPUC_PROCESSORS=NAME,NAME and TPUC_TYPES=TYPE,TYPE choose.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.benchmarks.bench_exactness import asked_processors, prepared
from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting
from tpuc.calibration import table as table_text
from tpuc.dataset import open_samples, select_files
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import lower
from tpuc.processors import Processor
from tpuc.simulator import Program

__all__ = ["lines"]

TYPES = tuple("INT8_asymmetric INT4 F32 F16 BF16 W8F16 W8BF16 W4F16 W4BF16".split())
BITS = {"F16": 10, "BF16": 7}
TARGET = "chip={} mode={} num_device=1 num_core=1 addr_mode=auto high_precision=False"


@dataclass(frozen=True)
class Found:
    """How tensors compare: how many are equal, of how many; largest difference in units."""

    equal: int
    total: int
    units: float


def lines(setting: Setting) -> Iterator[Line]:
    """A line for each processor and type."""
    if setting.vendor is None:
        yield Line("tensors of other types against TPU-MLIR", "left out", goal="set TPUC_VENDOR")
        return
    networks = dict(prepared(setting))
    for name, folder in networks.items():
        _prepare(setting, folder, name)
    asked = os.environ.get("TPUC_TYPES", "").replace(",", " ").split() or TYPES
    for processor in asked_processors():
        for kind in [k for k in TYPES if k in asked and _has(processor, k)]:
            yield _line(setting, networks, processor, kind)


def _has(processor: Processor, kind: str) -> bool:
    return processor.asymmetric if kind == "INT8_asymmetric" else kind in processor.built


def _prepare(setting: Setting, folder: Path, name: str) -> None:
    """The sample, and a table of 4-bit thresholds."""
    mlir = folder / f"{name}.mlir"
    graph = load_mlir(mlir)
    batch = next(open_samples(select_files(setting.pictures, None)[:1], graph).batches(1))
    np.savez(folder / "sample.npz", **batch)
    setting.vendors(str(folder.relative_to(setting.work)), "run_calibration", mlir.name,
                    "--dataset", setting.pictures, "--input_num", "4", "--tune_num", "0",
                    "--debug_cmd", "int4", "-o", "int4_table")  # fmt: skip
    _agree(folder / "int4_table", graph)


def _agree(path: Path, graph: Graph) -> None:
    """Give a MaxPool the 8-bit range of its operand: in INT4 builds TPU-MLIR leaves them apart, and
    its numbers are off by their ratio (docs/differences.md)."""
    table = table_text.read(path)
    ranges = dict(table.ranges)
    for node in graph.nodes:
        if node.op == "MaxPool":
            ranges[node.name] = ranges[node.activations[0].name]
    path.write_text(table_text.to_text(replace(table, ranges=ranges)))


def _line(setting: Setting, networks: dict[str, Path], processor: Processor, kind: str) -> Line:
    found = [_compare(setting, name, run, processor, kind) for name, run in networks.items()]
    units = max(f.units for f in found)
    return Line(
        f"{processor.name}: {kind} tensors of {', '.join(networks)}, one picture, equal bits",
        "; ".join(f"{f.equal} of {f.total}" for f in found),
        f"largest difference {units:.2g} units" if units else "",
        goal="all, or within 1 unit",
        met=units <= 1.0,
    )


def _compare(setting: Setting, name: str, run: Path, processor: Processor, kind: str) -> Found:
    mode, zero = kind.removesuffix("_asymmetric"), kind.endswith("_asymmetric")
    table = {"INT8": "table", "INT4": "int4_table"}.get(mode)
    theirs = _tensors(setting, name, run, (processor.name, mode, zero), table)
    ranges = table_text.read(run / table) if table else None
    graph = lower(load_mlir(run / f"{name}.mlir"), ranges, processor, mode, asymmetric=zero).graph
    ours = Program(graph).run(dict(np.load(run / "sample.npz")), observe="all")
    equal, units = 0, 0.0
    for tensor, values in theirs.items():
        if tensor not in ours:
            units = np.inf
            continue
        away = np.abs(ours[tensor].reshape(-1) - values.reshape(-1)).max()
        equal += away == 0.0
        largest = float(np.abs(values).max()) or 1.0
        units = max(units, away / 2.0 ** (np.floor(np.log2(largest)) - _bits(mode)))
    return Found(equal, len(theirs), float(units))


def _bits(mode: str) -> int:
    """Bits of a number behind the first."""
    return next((bits for name, bits in BITS.items() if mode.endswith(name)), 23)


def _tensors(
    setting: Setting, name: str, run: Path, build: tuple[str, str, bool], table: str | None
) -> dict[str, np.ndarray]:
    """All of TPU-MLIR's, as float32."""
    processor, mode, zero = build
    folder = str(run.relative_to(setting.work))
    ranges = [f"--import-calibration-table=file={table} asymmetric={zero}"] if table else []
    setting.vendors(
        folder, "tpuc-opt", f"{name}.mlir", f"--processor-assign={TARGET.format(processor, mode)}",
        *ranges, "--processor-top-optimize",
        f"--convert-top-to-tpu=weightFileName=lowered_weights.npz asymmetric={zero} "
        "q_group_size=64", "--canonicalize", "--weight-fold", "-o", "type_lowered.mlir",
    )  # fmt: skip
    setting.vendors(folder, "model_runner", "--input", "sample.npz", "--model",
                    "type_lowered.mlir", "--dump_all_tensors", "--output", "all.npz")  # fmt: skip
    found = np.load(run / "all.npz")
    return {key: found[key].astype(np.float32) for key in found.files}
