"""The figures that stand first in a report."""

from __future__ import annotations

from tpuc.reports import wording
from tpuc.reports.data import Accuracy, ReportData

__all__ = ["figures"]

Figure = tuple[str, str, str]


def figures(data: ReportData) -> list[Figure]:
    """Name, value and note of each figure; unknown ones are left out."""
    c = data.cost
    found = _accuracy(data.accuracy)
    if c.weight_bytes:
        smaller = c.float_weight_bytes and f"{c.float_weight_bytes / c.weight_bytes:.2g}"
        found.append(
            ("Weights", wording.size(c.weight_bytes), f"{smaller} times smaller" if smaller else "")
        )
    if c.estimated_ms:
        cycles = f"{wording.count(c.estimated_cycles)} cycles" if c.estimated_cycles else ""
        found.append(("Predicted time", wording.seconds(c.estimated_ms / 1000), cycles))
    if c.macs:
        found.append(("MACs", wording.count(c.macs), "one inference"))
    return found


def _accuracy(a: Accuracy) -> list[Figure]:
    found = []
    if a.output_cos_mean is not None:
        least = f"lowest {wording.cosine(a.output_cos_min)}" if a.output_cos_min else ""
        found.append(("Output cosine", wording.cosine(a.output_cos_mean), least))
    if a.sqnr_db is not None:
        found.append(("Output SQNR", wording.decibel(a.sqnr_db), "against float"))
    for name, before, after in (
        ("Top-1", a.float_top1, a.top1),
        ("Top-5", a.float_top5, a.top5),
        ("mAP", a.float_map, a.map),
    ):
        if after is not None:
            note = "" if before is None else f"float {wording.percent(before)}"
            found.append((name, wording.percent(after), note))
    if a.agreement_top1 is not None:
        found.append(("Same top-1", wording.percent(a.agreement_top1), "as float"))
    return found
