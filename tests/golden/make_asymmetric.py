"""Regenerates `asymmetric/`: INT8 with zero points, as TPU-MLIR computes it.

    TPUC_VENDOR/bin/python tests/golden/make_asymmetric.py WORK_FOLDER

`PROCESSOR.json` holds, for each network, the first 16 hex digits of sha256 of tensors for sample 0
(dequantized float32, little endian; of densenet121 the first 60, which requantize for Concats).
`operators.json` holds the same for the files of `operators/`, with their calibration tables.
`part.json` is a symmetric build of efficientnet_b0 some of whose tensors have zero points, with
the table that `run_calibration --part_asymmetric` makes of samples 0 to 3.
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

OUT = HERE / "asymmetric"
NETWORKS = {
    "bm1684x": ["densenet121", "mobilenet_v2", "mobilenet_v3_small", "resnet18"],
    "bm1688": ["mobilenet_v2"],
    "bm1690": ["mobilenet_v2"],
    "cv186x": ["mobilenet_v2"],
}
MOST = 60
TARGET = "chip={} mode=INT8 num_device=1 num_core=1 addr_mode=auto high_precision=False"


def tensors(
    folder: Path, name: str, processor: str, table: Path, asymmetric: bool = True
) -> dict[str, str]:
    """Digest of every tensor of a build, in program order."""
    passes = [
        f"--processor-assign={TARGET.format(processor)}",
        f"--import-calibration-table=file={table} asymmetric={asymmetric}",
        "--processor-top-optimize",
        f"--convert-top-to-tpu=weightFileName=lowered_weights.npz asymmetric={asymmetric}",
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


def calibrate(folder: Path, name: str, samples: list[dict[str, np.ndarray]], *more: str) -> Path:
    """A kl table without tuning."""
    (folder / "samples").mkdir(exist_ok=True)
    for index, sample in enumerate(samples):
        np.savez(folder / "samples" / f"{index}.npz", **sample)
    run(folder, "run_calibration", f"{name}.mlir", "--dataset", "samples", "--input_num",
        str(len(samples)), "--tune_num", "0", *more, "-o", "table")  # fmt: skip
    return folder / "table"


def operators(work: Path, name: str) -> dict[str, object]:
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in (f"{name}.mlir", f"{name}_top_f32_all_weight.npz"):
        shutil.copy(HERE / "operators" / file, folder)
    samples = [{"x": made_input(i, (1, 3, 16, 16)) * 4 - 2} for i in range(4)]
    table = calibrate(folder, name, samples)
    shutil.copy(folder / "samples" / "0.npz", folder / "sample.npz")
    return {"table": table.read_text(), "tensors": tensors(folder, name, "bm1684x", table)}


def part(work: Path) -> dict[str, object]:
    name = "efficientnet_b0"
    folder = import_network(name, work)
    samples = [{"input": made_input(i, (1, 3, 64, 64)) * 2 - 1} for i in range(4)]
    table = calibrate(folder, name, samples, "--part_asymmetric")
    found = tensors(folder, name, "bm1684x", table, False)
    return {"table": table.read_text(), "tensors": found}


def write(name: str, content: object) -> None:
    (OUT / f"{name}.json").write_text(json.dumps(content, indent=0, sort_keys=True) + "\n")


def main(work: Path) -> None:
    OUT.mkdir(exist_ok=True)
    for processor, names in NETWORKS.items():
        found = {}
        for name in names:
            folder, table = import_network(name, work), HERE / "networks" / f"{name}_cali_table"
            every = tensors(folder, name, processor, table)
            found[name] = dict(list(every.items())[: MOST if name == "densenet121" else None])
        write(processor, found)
    write("operators", {n: operators(work, n) for n in ("common", "rare")})
    write("part", part(work))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
