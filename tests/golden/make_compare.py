"""Writes what TPU-MLIR's npz_tool compare says of `compare_cases.py` to tools/compare.json.

    python -m tests.golden.make_compare FOLDER      where TPU-MLIR is installed

{options: {case: [verdict, digits or null, [cosine, euclid, sqnr] or null]}}
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.golden.compare_cases import OPTIONS, pairs

TARGET = Path(__file__).resolve().parent / "tools" / "compare.json"
_CASE = re.compile(
    r"^\[(.{32,}?)\] +(\w+) \[ *\w+\]\n(.*?)(?=^\[|^\d+ compared|\Z)", re.M | re.S
)  # fmt: skip


def judged(text: str) -> dict[str, list]:
    """What the program printed, by case."""
    found = {}
    for name, word, rest in _CASE.findall(text):
        order = re.search(r"close order += (\d)", rest)
        figures = re.findall(r"(?:cosine|euclidean|sqnr)_similarity += (\S+)", rest)
        word = word.replace("SIMLIAR", "SIMILAR")  # as it spells it
        found[name.strip()] = [
            word, int(order[1]) if order else None, [float(f) for f in figures] or None,
        ]  # fmt: skip
    return found


def main() -> None:
    binaries = Path(sys.argv[1]) / "bin"
    env = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
    content = {}
    with tempfile.TemporaryDirectory() as scratch:
        for side, name in enumerate(("target.npz", "reference.npz")):
            np.savez(Path(scratch) / name, **{case: pair[side] for case, pair in pairs().items()})
        for label, options in OPTIONS.items():
            command = ["npz_tool", "compare", "target.npz", "reference.npz", "-v", *options]
            done = subprocess.run(command, cwd=scratch, env=env, capture_output=True, text=True)
            content[label] = judged(done.stdout)
            assert set(content[label]) == set(pairs()), set(pairs()) ^ set(content[label])
    text = json.dumps(content).replace("]], ", "]],\n").replace("null], ", "null],\n")
    TARGET.write_text(text + "\n")


if __name__ == "__main__":
    main()
