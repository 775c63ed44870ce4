"""Start-up: how long a user waits for nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting

__all__ = ["lines"]


def lines(setting: Setting) -> Iterator[Line]:
    """`tpuc --help`, and a build that is cached as a whole."""
    folder = setting.folder("startup")
    helps = [setting.program(folder, "--help").seconds for _ in range(2 * setting.repeats)]
    yield Line("tpuc --help", f"{min(helps):.2f} s", goal="below 0.5 s", met=min(helps) < 0.5)
    first = setting.tpuc("default")
    yield Line("tpuc (default recipe, nothing cached)", f"{first.seconds:.1f} s")
    again = setting.best("default").seconds
    yield Line(
        "tpuc (default recipe, everything cached)",
        f"{again:.2f} s",
        goal="below 3 s",
        met=again < 3.0,
    )
