"""Writes the options of TPU-MLIR's programs, as their own help lists them, to tools/options.json.

    python -m tests.golden.make_tool_options /opt/vendor

{program: {option: takes a value}}; programs are read by their usage text, nothing is run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("model_transform", "run_calibration", "fp_forward", "model_deploy")
TARGET = Path(__file__).resolve().parent / "tools" / "options.json"


def options(binary: Path) -> dict[str, bool]:
    """Long and short options of a program, and whether each takes a value."""
    text = subprocess.run([binary, "--help"], capture_output=True, text=True, check=True).stdout
    text = text[text.index("usage:") :]
    found: dict[str, bool] = {}
    for line in text.splitlines():
        if not re.match(r"  -{1,2}\w", line):
            continue
        for part in re.split(r", (?=-)", re.split(r"\s{2,}", line.strip())[0]):
            name, _, value = part.partition(" ")
            if name not in ("-h", "--help", "-V", "--version"):
                found[name.lstrip("-")] = bool(value)
    return found


def main() -> None:
    folder = Path(sys.argv[1]) / "bin"
    content = {name: options(folder / name) for name in PROGRAMS}
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
