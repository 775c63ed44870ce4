"""Regenerates `processors/`: what TPU-MLIR computes for each processor on the golden networks.

    TPUC_VENDOR/bin/python tests/golden/make_processors.py WORK_FOLDER [PROCESSOR ...]

Run it with the Python of an installed TPU-MLIR. `PROCESSOR.json` holds, for each mode and network,
the first 16 hex digits of sha256 of every tensor for sample 0 (dequantized float32, little
endian). The networks, their weights and their calibration tables are those of `networks/`.
`rare/PROCESSOR.json` holds the same for `operators/rare.mlir`, with its calibration table.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from weights import fill_weights, made_input  # noqa: E402

SHAPE = (1, 3, 64, 64)
RARE_SHAPE = (1, 3, 16, 16)
RARE = ["bm1684"]
PROCESSORS = {
    "bm1684": {"INT8": ["densenet121", "mobilenet_v2", "mobilenet_v3_small", "resnet18"]},
    "bm1688": {
        "INT8": ["mobilenet_v2", "resnet18"],
        "F16": ["mobilenet_v2"],
        "BF16": ["mobilenet_v2"],
    },
    "cv186x": {"INT8": ["mobilenet_v2", "resnet18"], "F16": ["mobilenet_v2"]},
    "bm1690": {
        "INT8": ["mobilenet_v2", "resnet18"],
        "F16": ["mobilenet_v2"],
        "BF16": ["mobilenet_v2"],
    },
    "cv183x": {
        "INT8": ["densenet121", "mobilenet_v2", "mobilenet_v3_small", "resnet18"],
    },
    "cv182x": {"INT8": ["mobilenet_v2", "resnet18"], "BF16": ["mobilenet_v2"]},
    "cv181x": {"INT8": ["mobilenet_v2", "resnet18"], "BF16": ["mobilenet_v2"]},
    "cv180x": {"INT8": ["mobilenet_v2", "resnet18"], "BF16": ["mobilenet_v2"]},
}


def run(folder: Path, *command: str) -> None:
    """A program of TPU-MLIR; its output is shown if it fails."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def import_network(name: str, work: Path) -> Path:
    """The folder with TPU-MLIR's Top graph of a network, its table and the sample."""
    folder = work / name
    if not (folder / f"{name}.mlir").exists():
        folder.mkdir(parents=True, exist_ok=True)
        model = onnx.load(str(HERE / "networks" / f"{name}.onnx"))
        fill_weights(model)
        onnx.save(model, str(folder / f"{name}.onnx"))
        np.savez(folder / "sample.npz", input=made_input(0, SHAPE) * 2 - 1)
        shapes = str([list(SHAPE)]).replace(" ", "")
        run(folder, "model_transform", "--model_name", name, "--model_def", f"{name}.onnx",
            "--input_shapes", shapes, "--mlir", f"{name}.mlir")  # fmt: skip
    return folder


def operators(work: Path, processor: str) -> dict[str, object]:
    """Calibration table and tensors of `operators/rare.mlir`."""
    folder = work / "rare"
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    for name in ("rare.mlir", "rare_top_f32_all_weight.npz"):
        shutil.copy(HERE / "operators" / name, folder)
    for index in range(4):
        sample = made_input(index, RARE_SHAPE) * 4 - 2
        np.savez(folder / "samples" / f"{index}.npz", x=sample)
    shutil.copy(folder / "samples" / "0.npz", folder / "sample.npz")
    run(folder, "run_calibration", "rare.mlir", "--dataset", "samples", "--input_num", "4",
        "--tune_num", "0", "-o", "table")  # fmt: skip
    found = tensors(folder, "rare", processor, "INT8", folder / "table")
    return {"table": (folder / "table").read_text(), "tensors": found}


def tensors(
    folder: Path, name: str, processor: str, mode: str, table: Path | None = None
) -> dict[str, str]:
    """Digest of every tensor of one build."""
    table = table or HERE / "networks" / f"{name}_cali_table"
    run(folder, "model_deploy", "--mlir", f"{name}.mlir", "--quantize", mode, "--processor",
        processor, "--calibration_table", str(table), "--model", f"{name}.bmodel",
        "--debug", "--not_gen_bmodel")  # fmt: skip
    suffix = "int8_sym" if mode == "INT8" else mode.lower()
    run(folder, "model_runner", "--input", "sample.npz", "--model",
        f"{name}_{processor}_{suffix}_tpu.mlir", "--dump_all_tensors", "--output",
        "tensors.npz")  # fmt: skip
    found = np.load(folder / "tensors.npz")
    return {
        key: hashlib.sha256(np.ascontiguousarray(found[key], "<f4").tobytes()).hexdigest()[:16]
        for key in found.files
    }


if __name__ == "__main__":
    scratch = Path(sys.argv[1]).resolve()
    for chosen in sys.argv[2:] or PROCESSORS:
        facts = {
            mode: {n: tensors(import_network(n, scratch), n, chosen, mode) for n in names}
            for mode, names in PROCESSORS[chosen].items()
        }
        out = HERE / "processors" / f"{chosen}.json"
        out.write_text(json.dumps(facts, indent=0, sort_keys=True) + "\n")
        print(chosen, {m: {n: len(t) for n, t in d.items()} for m, d in facts.items()}, flush=True)
        if chosen in RARE:
            text = json.dumps(operators(scratch, chosen), indent=0, sort_keys=True)
            (HERE / "processors" / "rare" / f"{chosen}.json").write_text(text + "\n")
