"""Times TPU-MLIR's interpreter on a lowered MLIR file; for that environment's own Python.

    python vendor_speed.py LOWERED.mlir

Prints `pictures_per_second X`: the best of some runs, on noise.
"""

from __future__ import annotations

import sys
import time

import numpy as np


def main(mlir: str) -> None:
    """Set the input, run, as its own tools do."""
    import tpu_mlir  # noqa: F401  (puts the native module on the path)

    import pymlir  # isort: skip

    module = pymlir.module()
    module.load(mlir)
    (name,) = module.input_names
    shape = list(module.get_tensor(name).shape)
    noise = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        module.set_tensor(name, noise, shape)
        module.invoke(True)
        best = min(best, time.perf_counter() - start)
    print(f"pictures_per_second {1 / best:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
