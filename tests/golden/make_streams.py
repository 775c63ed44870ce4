"""Keeps command streams of bmodels that TPU-MLIR compiled, and the time that it prints for them.

model_deploy --debug ... writes both files:
python -m tests.golden.make_streams FILE.bmodel compiler_profile_0.txt NAME

EfficientNet-Lite0 as in the recipe; ResNet-18 and MobileNetV2 of `networks`, inputs 224 x 224.
kinds/vit_f16: `vit` of `transformers`, for kinds of commands that convolutional networks lack.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

from tpuc.backends.bmodel.container import read_container

FOLDER = Path(__file__).parent / "streams"
_COMMAND = re.compile(r"\|(\w+)\|s:\d+\|b:(\d+)\|g:(\d+)\|e:\d+\|t:(\d+)(\|dr:)?")
_WHOLE = re.compile(r"runtime: ([\d.]+)ms")


def main(path: str, profile: str, name: str) -> None:
    """Write streams/NAME.npz: bytes of both streams, cycles of each command, cycles in all."""
    container = read_container(path)
    group = container.model["net"][0]["parameter"][0]["cmd_group"][0]
    blobs = {"tiu": group["binary_bdc"], "dma": group["binary_gdma"]}
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        FOLDER / f"{name}.npz",
        **{k: np.frombuffer(container.blob(v, k), np.uint8) for k, v in blobs.items()},
        **_costs(Path(profile).read_text()),
    )


def _costs(text: str) -> dict[str, np.ndarray]:
    costs: dict[str, dict[int, tuple[str, int]]] = {"tiu": {}, "dma": {}}
    for kind, tiu, dma, cycles, moves in _COMMAND.findall(text):
        costs["dma" if moves else "tiu"][int(dma if moves else tiu)] = kind, int(cycles)
    found = {}
    for engine, commands in costs.items():
        kinds, cycles = zip(*(commands[serial] for serial in range(1, len(commands) + 1)))
        found |= {f"{engine}_kinds": np.array(kinds), f"{engine}_cycles": np.array(cycles)}
    (whole,) = _WHOLE.findall(text)
    return {**found, "total": np.array(round(float(whole) * 1e6))}


if __name__ == "__main__":
    main(*sys.argv[1:])
