"""Writes what TPU-MLIR's npz_tool compare says of `compare_cases.py` to tools/compare.json.

    python -m tests.golden.make_compare FOLDER      where TPU-MLIR is installed

{options: {case: [verdict, digits or null, [cosine, euclid, sqnr] or null, channel or null]}}, and
fuzzy.json: {options: [passed, {tensor: [cosine, euclid]}]}.
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

from tests.golden.compare_cases import FUZZY, OPTIONS, pairs, strangers

TARGET = Path(__file__).resolve().parent / "tools" / "compare.json"
FUZZY_TARGET = TARGET.with_name("fuzzy.json")
_CASE = re.compile(
    r"^\[(.{32,}?)\] +(\w+) \[ *\w+\]\n(.*?)(?=^\[|^\d+ compared|\Z)", re.M | re.S
)  # fmt: skip


def judged(text: str) -> dict[str, list]:
    """What the program printed, by case."""
    found = {}
    for name, word, rest in _CASE.findall(text):
        order = re.search(r"close order += (\d)", rest)
        figures = re.findall(r"(?:cosine|euclidean|sqnr)_similarity += (\S+)", rest)
        channel = re.search(r"channel (\d+) on axis", rest)
        word = word.replace("SIMLIAR", "SIMILAR")  # as it spells it
        found[name.strip()] = [
            word, int(order[1]) if order else None, [float(f) for f in figures] or None,
            int(channel[1]) if channel else None,
        ]  # fmt: skip
    return found


def fuzzy(folder: Path, env: dict[str, str]) -> dict[str, list]:
    """What it says of tensors with other names."""
    for name, tensors in zip(("a.npz", "b.npz"), strangers()):
        np.savez(folder / name, **tensors)
    found = {}
    for label, options in FUZZY.items():
        command = ["npz_tool", "compare", "a.npz", "b.npz", "--fuzzy_match", *options]
        text = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True).stdout
        rows = re.findall(r"max_cos:(\S+), max_euc:(\S+) for (\S+) and", text)
        best = {name: [float(cos), float(euclid)] for cos, euclid, name in rows}
        found[label] = ["npz compare PASSED" in text, best]
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
            wanted = {options[1]} if options[:1] == ["--key"] else set(pairs())
            if options[:1] == ["--per_axis_compare"]:  # along the last axis it fails
                wanted = {c for c, (target, _) in pairs().items() if target.ndim == 4}
            assert wanted <= set(content[label]), wanted - set(content[label])
        FUZZY_TARGET.write_text(json.dumps(fuzzy(Path(scratch), env), indent=0) + "\n")
    text = json.dumps(content).replace("]], ", "]],\n").replace("null], ", "null],\n")
    TARGET.write_text(text + "\n")


if __name__ == "__main__":
    main()
