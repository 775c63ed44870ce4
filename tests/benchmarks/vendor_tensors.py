"""Runs a lowered MLIR file on TPU-MLIR's interpreter; for that environment's own Python.

    python vendor_tensors.py LOWERED.mlir SAMPLES.npz OUT.json

SAMPLES.npz holds `samples`, float32, samples in the first dimension. OUT.json gets, for each
sample, sha256 of every tensor (dequantized float32, little endian).
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np


def main(mlir: str, samples: str, out: str) -> None:
    """One invocation per sample."""
    import tpu_mlir  # noqa: F401  (puts the native module on the path)

    import pymlir  # isort: skip

    pymlir.set_mem_mode("value_mem")  # keeps every tensor
    module = pymlir.module()
    module.load(mlir)
    (name,) = module.input_names
    digests = []
    for sample in np.load(samples)["samples"]:
        module.set_tensor(name, sample[None], [1, *sample.shape])
        module.invoke(True)
        tensors = module.get_all_tensor()
        digests.append(
            {k: hashlib.sha256(np.ascontiguousarray(v, "<f4")).hexdigest() for k, v in
             tensors.items()}
        )  # fmt: skip
    Path(out).write_text(json.dumps(digests))


if __name__ == "__main__":
    main(*sys.argv[1:4])
