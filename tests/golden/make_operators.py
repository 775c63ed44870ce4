"""Regenerates `operators/`: what TPU-MLIR makes of two ONNX files that hold one op of each kind.

    TPUC_VENDOR/bin/python tests/golden/make_operators.py WORK_FOLDER

The ONNX files are made by hand; for each it writes `NAME.mlir` (TPU-MLIR's canonical Top graph) and
`NAME_top_f32_all_weight.npz`. The intermediate files stay in WORK_FOLDER.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "operators"


def main(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    tool = Path(sys.executable).with_name("model_transform")
    for model in sorted(HERE.glob("*.onnx")):
        name = model.stem
        command = [tool, "--model_name", name, "--model_def", model, "--mlir", f"{name}.mlir"]
        subprocess.run(command, cwd=work, check=True)
        for made in (f"{name}.mlir", f"{name}_top_f32_all_weight.npz"):
            shutil.copy(work / made, HERE / made)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
