"""Does what the world does to programs, and prints what was lost.

    python -m tests.campaigns [NAME ...] [--seconds S] [--times N] [--seed K] [--findings FOLDER]

NAME is a reader (onnx, mlir, npz, cali_table, qtable, bmodel, program: small damage to sound files,
S seconds each), `kill`, `disk` or `together` (N times each); all of them by default. Status 1 if
anything was lost.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.campaigns.damage import damage
from tests.campaigns.kills import disk, kill, together
from tests.campaigns.lines import Tried, print_table
from tests.campaigns.readers import READERS

DEATHS = {"kill": kill, "disk": disk, "together": together}


def _rows(given: argparse.Namespace) -> Iterator[Tried]:
    for name in given.names or [*READERS, *DEATHS]:
        if name in READERS:
            yield damage(name, given.seconds, given.seed, given.findings)
        else:
            yield from DEATHS[name](given.times, given.seed)


def main() -> int:
    """Status 1 if anything was lost."""
    parser = argparse.ArgumentParser("python -m tests.campaigns")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*READERS, *DEATHS, []])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("build/findings"))
    return 0 if print_table(_rows(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
