"""Verbs of tpuc-tool: one file each, with `SUMMARY`, `add_arguments` and `execute`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from tpuc.tools import classify, compare, detect, importing, info, run, verify

__all__ = ["VERBS"]

Verb = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]

VERBS: dict[str, Verb] = {
    "run": (run.SUMMARY, run.add_arguments, run.execute),
    "info": (info.SUMMARY, info.add_arguments, info.execute),
    "compare": (compare.SUMMARY, compare.add_arguments, compare.execute),
    "classify": (classify.SUMMARY, classify.add_arguments, classify.execute),
    "detect": (detect.SUMMARY, detect.add_arguments, detect.execute),
    "import": (importing.SUMMARY, importing.add_arguments, importing.execute),
    "verify": (verify.SUMMARY, verify.add_arguments, verify.execute),
}
