"""Regenerates `four_bits/`: INT4 builds as TPU-MLIR computes them.

    TPUC_VENDOR/bin/python tests/golden/make_four_bits.py WORK_FOLDER

`tables/NETWORK` is the table that `run_calibration --debug_cmd int4` makes of samples 0 to 3, in
its order; `PROCESSOR.json` holds, for each network, the first 16 hex digits of sha256 of every
tensor for sample 0 (dequantized float32, little endian).
"""

from __future__ import annotations

import hashlib
import json
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
TARGET = "chip={} mode=INT4 num_device=1 num_core=1 addr_mode=auto high_precision=False"


def calibrate(folder: Path, name: str) -> Path:
    samples = folder / "four_samples"
    samples.mkdir(exist_ok=True)
    for index in range(4):
        np.savez(samples / f"{index}.npz", input=made_input(index, (1, 3, 64, 64)) * 2 - 1)
    run(folder, "run_calibration", f"{name}.mlir", "--dataset", samples.name, "--input_num", "4",
        "--tune_num", "0", "--debug_cmd", "int4", "-o", "int4_table")  # fmt: skip
    return folder / "int4_table"


def tensors(folder: Path, name: str, processor: str, table: Path) -> dict[str, str]:
    passes = [
        f"--processor-assign={TARGET.format(processor)}",
        f"--import-calibration-table=file={table} asymmetric=False",
        "--processor-top-optimize",
        "--convert-top-to-tpu=weightFileName=lowered_weights.npz asymmetric=False",
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


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
