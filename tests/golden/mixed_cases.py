"""Builds of golden networks with float ops, and what TPU-MLIR's simulator gives for them."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["CASES", "FOLDER", "MixedCase", "digest", "expected", "qtable_text"]

FOLDER = Path(__file__).resolve().parent / "mixed"


class MixedCase(NamedTuple):
    """One build."""

    network: str
    mode: str
    types: tuple[str, ...] = ()
    """Types of the ops that the quantize table names."""
    every: int = 1
    """It names one op in `every`, chosen by the ops' names."""
    processor: str = "bm1684x"


CASES = {
    "resnet18_f16": MixedCase("resnet18", "F16"),
    "mobilenet_v3_small_bf16": MixedCase("mobilenet_v3_small", "BF16"),
    "resnet18_few_f16": MixedCase("resnet18", "INT8", ("F16",), 5),
    "mobilenet_v3_small_f16_f32": MixedCase("mobilenet_v3_small", "INT8", ("F16", "F32"), 4),
    "shufflenet_v2_x0_5_f16_f32": MixedCase("shufflenet_v2_x0_5", "INT8", ("F16", "F32"), 4),
    "squeezenet1_1_all_types": MixedCase("squeezenet1_1", "INT8", ("F16", "F32", "BF16"), 2),
    "mobilenet_v3_small_cv183x": MixedCase("mobilenet_v3_small", "INT8", ("BF16",), 4, "cv183x"),
    "resnet18_bf16_cv183x": MixedCase("resnet18", "BF16", processor="cv183x"),
    "mobilenet_v3_small_bf16_cv183x": MixedCase("mobilenet_v3_small", "BF16", processor="cv183x"),
    "resnet18_cv181x": MixedCase("resnet18", "INT8", ("BF16",), 3, "cv181x"),
}


def qtable_text(case: MixedCase, ops: Sequence[str]) -> str:
    """The quantize table, by what the names of the ops hash to."""
    lines = ["# op_name quantize_mode"]
    for name in ops:
        number = zlib.crc32(name.encode())
        if case.types and number % case.every == 0:
            lines.append(f"{name} {case.types[number // case.every % len(case.types)]}")
    return "\n".join(lines) + "\n"


def digest(array: np.ndarray) -> str:
    """First half of the sha256 of float32 numbers, little endian; zeros have no sign."""
    data = (np.ascontiguousarray(array, "<f4") + np.float32(0)).tobytes()
    return hashlib.sha256(data).hexdigest()[:32]


def expected(name: str) -> dict[str, str]:
    """Digest of every tensor of sample 0, dequantized float32, by name."""
    found: dict[str, str] = json.loads((FOLDER / f"{name}.json").read_text())
    return found
