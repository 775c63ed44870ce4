"""What `tpuc-tool compare` can show of one tensor beyond its verdict."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from tpuc.tools.tensor_verdict import TensorVerdict

__all__ = ["details"]

_TOP = 10
_APART = 1e-3
_SMALL = 8


def details(
    target: np.ndarray, reference: np.ndarray, verdict: TensorVerdict, args: argparse.Namespace
) -> Iterator[str]:
    """Lines about a tensor, as far as the options ask for them."""
    if args.stats_int8_tensor and target.dtype.itemsize == 1:
        yield _shares(target)
    if verdict.passed or target.size != reference.size:
        return
    t, r = target.reshape(-1), reference.reshape(-1)
    if args.verbose > 1:
        for place, other in zip(_largest(t), _largest(r)):
            yield f"[{place}] {t[place]:<14.6g} [{other}] {r[other]:.6g}"
    if args.full_array or args.verbose > 2:
        limit = 0 if args.full_array else _APART * (1 + np.abs(r.astype(np.float64)))
        apart = np.abs(t.astype(np.float64) - r.astype(np.float64)) > limit
        for place in np.flatnonzero(apart):
            yield f"[{place}] {t[place]:.6g} {r[place]:.6g}"


def _largest(values: np.ndarray) -> np.ndarray:
    return np.argsort(-values.astype(np.float64), kind="stable")[:_TOP]


def _shares(values: np.ndarray) -> str:
    """How often 8 bits are at their ends, at 0 and near it."""
    q = values.astype(np.int8)
    named = (
        ("127", q == 127),
        ("-128", q == -128),
        ("0", q == 0),
        (f"-{_SMALL} to {_SMALL}", np.abs(q.astype(np.int16)) <= _SMALL),
    )
    return ", ".join(f"{name}: {np.mean(where):.4f}" for name, where in named)
