"""Keeps the command streams of a bmodel that TPU-MLIR compiled.

python -m tests.golden.make_streams FILE.bmodel NAME   # EfficientNet-Lite0, INT8: see the recipe
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tpuc.backends.bmodel.container import read_container

FOLDER = Path(__file__).parent / "streams"


def main(path: str, name: str) -> None:
    """Write streams/NAME.npz."""
    container = read_container(path)
    group = container.model["net"][0]["parameter"][0]["cmd_group"][0]
    blobs = {"tiu": group["binary_bdc"], "dma": group["binary_gdma"]}
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        FOLDER / f"{name}.npz",
        **{k: np.frombuffer(container.blob(v, k), np.uint8) for k, v in blobs.items()},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
