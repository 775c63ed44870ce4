"""Regenerates `four_bits/`: INT4 builds as TPU-MLIR computes them.

    TPUC_VENDOR/bin/python tests/golden/make_four_bits.py WORK_FOLDER

`tables/NETWORK` is the table that `run_calibration --debug_cmd int4` makes of samples 0 to 3, in
its order; `PROCESSOR.json` holds, for each network, the first 16 hex digits of sha256 of every
tensor for sample 0 (dequantized float32, little endian). `mixed/PROCESSOR.json` holds the same of
builds in which every so many Conv and MatMul are INT8, and the names of those that are INT4;
`losses/NETWORK.json` what `run_calibration --search search_qtable --mix_mode wi4ai4_wi8ai8` prints
with that table on samples 0 to 3: scores in 8 and in 4 bits, (loss, snr) of each op.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from make_processors import import_network, run  # noqa: E402
from weights import made_input  # noqa: E402

OUT = HERE / "four_bits"
NETWORKS = {
    "bm1688": ["mobilenet_v2", "resnet18"],
    "bm1690": ["resnet18"],
    "cv186x": ["resnet18"],
}
MIXED = {"mobilenet_v2": 3, "resnet18": 2}  # every so many are INT8
SEARCHED = ["resnet18"]
TARGET = "chip={} mode=INT4 num_device=1 num_core=1 addr_mode=auto high_precision=False"


def calibrate(folder: Path, name: str) -> Path:
    samples = folder / "four_samples"
    samples.mkdir(exist_ok=True)
    for index in range(4):
        np.savez(samples / f"{index}.npz", input=made_input(index, (1, 3, 64, 64)) * 2 - 1)
    run(folder, "run_calibration", f"{name}.mlir", "--dataset", samples.name, "--input_num", "4",
        "--tune_num", "0", "--debug_cmd", "int4", "-o", "int4_table")  # fmt: skip
    return folder / "int4_table"


def tensors(
    folder: Path, name: str, processor: str, table: Path, qtable: Path | None = None
) -> dict[str, str]:
    rows = f" qtable={qtable}" if qtable else ""
    passes = [
        f"--processor-assign={TARGET.format(processor)}",
        f"--import-calibration-table=file={table} asymmetric=False",
        "--processor-top-optimize",
        "--convert-top-to-tpu=weightFileName=lowered_weights.npz asymmetric=False" + rows,
        *("--canonicalize", "--weight-fold", "-o", "lowered.mlir"),
    ]
    run(folder, "tpuc-opt", f"{name}.mlir", *passes)
    run(folder, "model_runner", "--input", "sample.npz", "--model", "lowered.mlir",
        "--dump_all_tensors", "--output", "tensors.npz")  # fmt: skip
    found = np.load(folder / "tensors.npz")
    return {
        key: hashlib.sha256(np.ascontiguousarray(found[key], "<f4").tobytes()).hexdigest()[:16]
        for key in found.files
    }


def four_bit_names(mlir: str) -> list[str]:
    """Conv but for depthwise ones, and MatMul, in program order."""
    places = dict(re.findall(r'^(#loc\d*) = loc\("([^"]+)"\)', mlir, re.M))
    ops = re.findall(r'"top\.(?:Conv|MatMul)"(.*)loc\((#loc\d*)\)', mlir)
    return [places[at] for text, at in ops if re.search(r" group = (?!1 :)", text) is None]


def mixed(folder: Path, name: str, step: int) -> dict[str, object]:
    names = four_bit_names((folder / f"{name}.mlir").read_text())
    large = names[::step]
    small = [n for n in names if n not in large]
    table, qtable = folder / "mixed_table", folder / "mixed_qtable"
    rows = "".join(f"{n}\n" for n in small)
    table.write_text((folder / "int4_table").read_text() + f"\n#int4_op\n{rows}")
    qtable.write_text("".join(f"{n} INT8\n" for n in large))
    return {"small": small, "tensors": tensors(folder, name, "bm1688", table, qtable)}


def losses(folder: Path, name: str) -> dict[str, object]:
    shutil.copy(OUT / "tables" / name, folder / "searched_table")
    run(folder, "run_calibration", f"{name}.mlir", "--dataset", "four_samples", "--input_num", "4",
        "--inference_num", "4", "--chip", "bm1688", "--search", "search_qtable", "--mix_mode",
        "wi4ai4_wi8ai8", "--quantize_table", "searched_qtable", "-o", "searched_table")  # fmt: skip
    log = (folder / "Search_Qtable").read_text()
    rows = re.findall(r"layer (\S+), outputs_cos:(\S+), outputs_snr:(\S+)", log)
    scores = {f"int{n}": float(re.search(rf"current int{n} cos:(\S+)", log)[1]) for n in (8, 4)}
    return {**scores, "losses": {n: [float(cos), float(snr)] for n, cos, snr in rows}}


def main(work: Path) -> None:
    (OUT / "tables").mkdir(parents=True, exist_ok=True)
    for processor, names in NETWORKS.items():
        found = {}
        for name in names:
            folder = import_network(name, work)
            table = calibrate(folder, name)
            shutil.copy(table, OUT / "tables" / name)
            found[name] = tensors(folder, name, processor, table)
        text = json.dumps(found, indent=0, sort_keys=True)
        (OUT / f"{processor}.json").write_text(text + "\n")
    for place, made in (
        ("mixed/bm1688", {n: mixed(import_network(n, work), n, k) for n, k in MIXED.items()}),
        *((f"losses/{n}", losses(import_network(n, work), n)) for n in SEARCHED),
    ):
        (OUT / place).parent.mkdir(exist_ok=True)
        (OUT / f"{place}.json").write_text(json.dumps(made, indent=0) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
