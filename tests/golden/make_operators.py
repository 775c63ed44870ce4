"""Regenerates `operators/` and `selection/`: what TPU-MLIR makes of ONNX files of single ops.

    TPUC_VENDOR/bin/python tests/golden/make_operators.py WORK_FOLDER

The ONNX files are made by hand; for each it writes `NAME.mlir` (TPU-MLIR's canonical Top graph) and
`NAME_top_f32_all_weight.npz` (in `operators/` only). The intermediate files stay in WORK_FOLDER.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    tool = Path(sys.executable).with_name("model_transform")
    for model in sorted([*HERE.glob("operators/*.onnx"), *HERE.glob("selection/*.onnx")]):
        name = model.stem
        command = [tool, "--model_name", name, "--model_def", model, "--mlir", f"{name}.mlir"]
        subprocess.run(command, cwd=work, check=True)
        shutil.copy(work / f"{name}.mlir", model.parent)
        if model.parent.name == "operators":
            shutil.copy(work / f"{name}_top_f32_all_weight.npz", model.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
