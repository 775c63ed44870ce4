"""The immutable values that travel between rooms. No logic, no file access."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CalibrationTable", "Choice", "QuantizeTable", "Range"]


@dataclass(frozen=True)
class Range:
    """Calibrated range of one tensor, in real units (one row of a calibration table)."""

    threshold: float
    min: float
    max: float


@dataclass(frozen=True)
class CalibrationTable:
    """Ranges by op name, in program order, plus the optional sections of the text form.

    Parameters
    ----------
    ranges : mapping of str to Range
        Values as they stand in the text, i.e. rounded to 7 decimals.
    method : str
        Threshold method(s) as printed in the header.
    model : str
        MLIR file named in the header.
    sample_num, histogram_bins, tune_num : int
        As printed in the header.
    int4 : mapping of str to Range
        Section `#int4_th`.
    int4_ops, asym_ops, symmetric_ops : tuple of str
        Sections `#int4_op`, `#asym_op`, `# symmetric_op`.
    weight_scales : mapping of str to tuple of float
        Section `#weight_scale`.
    fp8 : bool
        The header says that thresholds are for F8.
    """

    ranges: Mapping[str, Range]
    method: str = "kl"
    model: str = ""
    sample_num: int = 0
    histogram_bins: int = 2048
    tune_num: int = 0
    int4: Mapping[str, Range] = field(default_factory=dict)
    int4_ops: tuple[str, ...] = ()
    asym_ops: tuple[str, ...] = ()
    symmetric_ops: tuple[str, ...] = ()
    weight_scales: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    fp8: bool = False


@dataclass(frozen=True)
class Choice:
    """Type chosen for one op, and who chose it.

    Parameters
    ----------
    mode : str
        F16, BF16, F32, INT8 ...
    reason : str
        Why, in words, for reports.
    source : str
        user, shape, pattern, part_quantize, fp_forward or search; empty if not told.
    """

    mode: str
    reason: str = ""
    source: str = ""


@dataclass(frozen=True)
class QuantizeTable:
    """Types by op name where they differ from the build's own mode (a qtable)."""

    choices: Mapping[str, Choice] = field(default_factory=dict)
