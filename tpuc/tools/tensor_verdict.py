"""How alike two tensors are, in the words of TPU-MLIR's npz_tool compare.

EQUAL        every number is
CLOSE        numpy.allclose with a relative tolerance of 1e-5, 1e-4 or 1e-3, NaN equal to NaN
SIMILAR      cosine and euclidean similarity above the tolerances
NOT_SIMILAR  not
NOT_EQUAL    8-bit integers, which are not asked to be similar
NOT_MATCH    shapes that do not fit

    cos    = <t, r> / (|t| |r|), 0 if either is all zero
    euclid = 1 - |t - r| / (|(t + r) / 2| + 1e-7)
    sqnr   = 10 log10( var(t) / var(t - r) ) dB, the target being the signal; inf if either is 0

Types are those it compares in: int8 if either is, else int32 if either is, else float32; uint16
is the upper half of a float32. Where both have as many axes and one fits into the other, the
larger is cut. NaN counts as 0 and infinity as 10000.

Along an axis, what is judged is each part with one index on it and on the axes before it: the
verdict is that of the worst part that is not similar, else that of the last one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["GOOD", "TensorVerdict", "compare_tensors"]

GOOD = ("EQUAL", "CLOSE", "SIMILAR")


@dataclass(frozen=True)
class TensorVerdict:
    """What was found.

    Parameters
    ----------
    word : str
        One of those above.
    order : int, optional
        Digits, of CLOSE.
    figures : (cosine, euclid, SQNR in dB), optional
        Of SIMILAR and NOT_SIMILAR.
    note : str
        What a reader must know of the comparison itself.
    part : int, optional
        Along an axis, the part that was judged, counted over the axes up to that one.
    """

    word: str
    order: int | None = None
    figures: tuple[float, float, float] | None = None
    note: str = ""
    part: int | None = None

    @property
    def passed(self) -> bool:
        """True if nothing is wrong."""
        return self.word in GOOD

    @property
    def text(self) -> str:
        """Figures, for a line of text."""
        said = [] if self.part is None else [f"channel {self.part}"]
        said += [] if self.order is None else [f"to {self.order} digits"]
        if self.figures is not None:
            said.append("cosine {:.6f}, euclid {:.6f}, sqnr {:.6f} dB".format(*self.figures))
        return "; ".join([*said, self.note] if self.note else said)


def compare_tensors(
    target: np.ndarray,
    reference: np.ndarray,
    tolerance: tuple[float, float] = (0.99, 0.99),
    exact_int8: bool = True,
    axis: int | None = None,
) -> TensorVerdict:
    """Compare two tensors.

    Parameters
    ----------
    tolerance : (cosine, euclid)
    exact_int8 : bool
        8-bit integers are equal or not, nothing between.
    axis : int, optional
        Judge along it; one that a tensor does not have is left alone.
    """
    fitted = _fitted(target, reference)
    if fitted is None:
        return TensorVerdict("NOT_MATCH", note=f"shapes {target.shape} and {reference.shape}")
    cut = fitted[0].size != target.size or fitted[1].size != reference.size
    note = f"cut: shapes {target.shape} and {reference.shape}" if cut else ""
    t, r = _one_type(*fitted)
    if np.array_equal(t, r):
        return TensorVerdict("EQUAL", note=note)
    if exact_int8 and t.dtype == np.int8:
        return TensorVerdict("NOT_EQUAL", note=f"{np.count_nonzero(t != r)} of {t.size} differ")
    if axis is None or not 0 <= axis < t.ndim:
        return _graded(t, r, tolerance, note)
    parts = math.prod(t.shape[: axis + 1])
    pairs = zip(t.reshape(parts, -1), r.reshape(parts, -1))
    found = [_graded(*pair, tolerance, note, index) for index, pair in enumerate(pairs)]
    bad = [v for v in found if not v.passed]
    return min(bad, key=lambda v: (v.figures or (0.0,))[0]) if bad else found[-1]


def _graded(
    t: np.ndarray,
    r: np.ndarray,
    tolerance: tuple[float, float],
    note: str,
    part: int | None = None,
) -> TensorVerdict:
    """CLOSE, SIMILAR or NOT_SIMILAR."""
    for order in (5, 4, 3):
        if np.allclose(t, r, rtol=10.0**-order, atol=1e-8, equal_nan=True):
            return TensorVerdict("CLOSE", order, note=note, part=part)
    figures = _figures(t, r)
    good = figures[0] > tolerance[0] and figures[1] > tolerance[1]
    return TensorVerdict("SIMILAR" if good else "NOT_SIMILAR", None, figures, note, part)


def _fitted(t: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Both in one shape; None if they do not fit."""
    if t.size == r.size:
        return t, r.reshape(t.shape)
    if t.ndim != r.ndim:
        return None
    least = tuple(slice(0, min(a, b)) for a, b in zip(t.shape, r.shape))
    inside = t[least].size in (t.size, r.size)  # one of them is the smaller along every axis
    return (t[least], r[least]) if inside else None


def _one_type(t: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kinds = (t.dtype, r.dtype)
    kind = next((k for k in (np.int8, np.int32) if k in kinds), np.float32)
    if np.uint16 in kinds:
        t, r = (v if v.dtype != np.uint16 else _from_bf16(v) for v in (t, r))
    return t.astype(kind), r.astype(kind)


def _from_bf16(x: np.ndarray) -> np.ndarray:
    return (x.astype(np.uint32) << 16).view(np.float32)


def _figures(t: np.ndarray, r: np.ndarray) -> tuple[float, float, float]:
    x, y = (_finite(v) for v in (t, r))
    return _cosine(x, y), _euclid(x, y), _sqnr(x, y)


def _finite(x: np.ndarray) -> np.ndarray:
    return np.nan_to_num(x.reshape(-1).astype(np.float64), nan=0.0, posinf=1e4, neginf=-1e4)


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    norms = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / norms if norms else 0.0


def _euclid(x: np.ndarray, y: np.ndarray) -> float:
    return 1.0 - float(np.linalg.norm(x - y) / (np.linalg.norm((x + y) / 2) + 1e-7))


def _sqnr(x: np.ndarray, y: np.ndarray) -> float:
    signal, noise = (float(np.sum(np.square(v - v.mean()))) for v in (x, x - y))
    return 10.0 * math.log10(signal / noise) if signal and noise else math.inf
