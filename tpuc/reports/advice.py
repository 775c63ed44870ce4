"""What to try for one layer: keys, and why."""

from __future__ import annotations

from tpuc.reports.data import LayerRow, ReportData, WeightRange
from tpuc.reports.verdict import Hint, Loss, clip_share, reach

__all__ = ["layer_hints", "spread"]

_CLIPPED = 0.3  # share of the range beyond the threshold
_WASTED = 1.5  # threshold over the largest value
_QUIET = 200.0  # loudest over quietest channel
_LOSS = 0.001  # of cosine, that is worth a float type


def spread(weights: WeightRange) -> float:
    """Largest |w| of the loudest channel over that of the quietest that is used."""
    used = [peak for peak in weights.channel_max if peak > 0]
    return max(used) / min(used) if used else 1.0


def layer_hints(data: ReportData, row: LayerRow, loss: Loss | None) -> list[Hint]:
    """What could help this layer, most promising first; none for a float op or a good one."""
    if not data.mode.startswith("INT") or row.dtype.startswith(("f", "bf")):
        return []
    hints = []
    if row.threshold and clip_share(row) > _CLIPPED:
        said = f"the threshold {row.threshold:.4g} cuts values that reach {reach(row):.4g}"
        hints.append(Hint("search=threshold", f"{said}: compare wider thresholds"))
    elif row.threshold and reach(row) and row.threshold > _WASTED * reach(row):
        said = f"no value comes near the threshold {row.threshold:.4g}: steps are wasted"
        hints.append(Hint("calibration.input_num=200", f"{said}; are the samples typical?"))
    if row.weights is not None and spread(row.weights) > _QUIET:
        said = f"weights of the loudest channel are {spread(row.weights):.0f} times the quietest's"
        hints.append(Hint("correction=weight_equalization", said))
    if loss is not None and loss.drop > _LOSS:
        said = f"this op alone loses {loss.drop:.4f} of cosine; a file with the line"
        hints.append(Hint("quantize.table=FILE", f"{said} '{row.name} F16' makes it float"))
        if row.weights is not None:
            hints.append(Hint("correction=adaround", "learns which way its weights are rounded"))
    return hints
