"""The golden networks as the tests see them: ONNX with made-up weights, and what TPU-MLIR gives."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import onnx

from tests.golden.weights import fill_weights, made_input

__all__ = ["NAMES", "SHAPE", "digests", "mlir_text", "onnx_file", "sample", "table_file"]

FOLDER = Path(__file__).resolve().parent / "networks"
NAMES = sorted(p.stem for p in FOLDER.glob("*.onnx"))
SHAPE = (1, 3, 64, 64)


def onnx_file(name: str, folder: Path) -> Path:
    """The network with its weights, written into `folder`."""
    model = onnx.load(str(FOLDER / f"{name}.onnx"))
    fill_weights(model)
    path = folder / f"{name}.onnx"
    onnx.save(model, str(path))
    return path


def sample(index: int) -> np.ndarray:
    """Input number `index`, float32."""
    return made_input(index, SHAPE) * 2 - 1


def calibration_batches(count: int) -> list[dict[str, np.ndarray]]:
    """Samples one by one, in the order that TPU-MLIR's calibration draws them from a folder."""
    order = list(range(count))
    random.Random(1684).shuffle(order)
    return [{"input": sample(index)} for index in order]


def table_file(name: str) -> Path:
    """TPU-MLIR's kl table on samples 0 to 7, without tuning."""
    return FOLDER / f"{name}_cali_table"


def mlir_text(name: str) -> str:
    """TPU-MLIR's canonical Top graph."""
    return (FOLDER / f"{name}.mlir").read_text()


def digests(name: str) -> dict[str, str]:
    """sha256 of every INT8 tensor of sample 0, dequantized float32."""
    found: dict[str, str] = json.loads((FOLDER / f"{name}.json").read_text())
    return found
