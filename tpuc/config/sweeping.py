"""What a sweep on the command line goes through: `a,b`, `choice(a,b)`, `range(0,9)`, `glob(a*)`."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatch

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob

__all__ = ["samples_of_sweep", "swept_methods", "values_of"]


def values_of(override: str, options: Callable[[str], list[str]]) -> list[str]:
    """The overrides that one override stands for; of a long range, its ends.

    Parameters
    ----------
    options : callable
        Names of the options of a config group.

    Raises
    ------
    hydra.errors.OverrideParseException : it is malformed
    """
    parsed = OverridesParser.create().parse_override(override)
    if not parsed.is_sweep_override() or parsed.is_interval_sweep():
        return [] if parsed.is_sweep_override() else [override]
    key = parsed.get_key_element()
    sweep = parsed.value()
    if isinstance(sweep, Glob):
        names = [n for n in options(key) if any(fnmatch(n, p) for p in sweep.include)]
        return [f"{key}={n}" for n in names if not any(fnmatch(n, p) for p in sweep.exclude)]
    found = [f"{key}={value}" for value in parsed.sweep_string_iterator()]
    return [found[0], found[-1]] if parsed.is_range_sweep() and len(found) > 2 else found


def samples_of_sweep(overrides: list[str], options: Callable[[str], list[str]]) -> list[list[str]]:
    """Runs of a sweep in which every swept value occurs: the first of all, then one changed."""
    values = [values_of(o, options) for o in overrides]
    first = [v[:1] for v in values]
    changed = [
        [*first[:i], [value], *first[i + 1 :]] for i, v in enumerate(values) for value in v[1:]
    ]
    return [[o for given in run for o in given] for run in [first, *changed]]


def swept_methods(overrides: list[str], options: Callable[[str], list[str]]) -> tuple[str, ...]:
    """Options of `calibration` that a sweep goes through; none if it is no such sweep."""
    swept = [o for o in overrides if re.match(r"calibration(\.method)?=", o)]
    values = [v.partition("=")[2] for o in swept for v in values_of(o, options)]
    return tuple(dict.fromkeys(values)) if len(values) > 1 else ()
