"""Runs every benchmark of this folder, or those named, and prints one table.

python -m tests.benchmarks [NAME ...]        NAME: a file bench_NAME.py
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.lines import Line, print_lines
from tests.benchmarks.setting import Setting

HERE = Path(__file__).parent


def names() -> list[str]:
    """Benchmarks that there are."""
    return sorted(p.stem.removeprefix("bench_") for p in HERE.glob("bench_*.py"))


def run_all(chosen: list[str], setting: Setting) -> Iterator[Line]:
    """Lines of the chosen benchmarks; one that fails says so and does not stop the others."""
    for name in chosen:
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        try:
            yield from module.lines(setting)
        except Exception as error:
            yield Line(f"{name}: {str(error).strip().splitlines()[-1]}", "failed", met=False)


def main() -> int:
    """Status 1 if a goal was missed."""
    chosen = sys.argv[1:] or names()
    unknown = set(chosen) - set(names())
    if unknown:
        print(f"no benchmark {sorted(unknown)}; there are {names()}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="tpuc-bench-") as scratch:
        return 0 if print_lines(run_all(chosen, Setting(Path(scratch)))) else 1


if __name__ == "__main__":
    sys.exit(main())
