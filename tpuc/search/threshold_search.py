"""`search=threshold`: the calibration method whose table keeps the network nearest to float.

    score = cos, or 1 - snr;  the first of equals wins

TPU-MLIR's `search_threshold` (manual, "search_threshold").
"""

from __future__ import annotations

from collections.abc import Mapping

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.progress import progress
from tpuc.search.result import Log, SearchResult
from tpuc.search.trials import Exhausted, Trials

__all__ = ["search_threshold"]


def search_threshold(
    trials: Trials, tables: Mapping[str, CalibrationTable], base: QuantizeTable, benchmark: str
) -> SearchResult:
    """Score every table.

    Parameters
    ----------
    tables : mapping of method to CalibrationTable
    base : QuantizeTable
        Ops decided before.
    benchmark : {'cos', 'snr'}
    """
    log = Log()
    log.info(f"Quantization threshold calculation method: {list(tables)}")
    scores: dict[str, float] = {}
    cosines: dict[str, float] = {}
    stopped = ""
    found = trials.each(list(tables.values()), base)
    for method in progress(tables, len(tables), "searching"):
        log.info(f"Trying multi algorithm threshold of {method} in {list(tables)}")
        try:
            score = next(found)
        except Exhausted as limit:
            stopped = str(limit)
            break
        scores[method] = score.cos if benchmark == "cos" else 1.0 - score.snr
        cosines[method] = score.cos
    first = next(iter(tables))
    best = max(scores, key=lambda m: scores[m]) if scores else first
    log.info(f"{benchmark} similarity scores: {scores}")
    log.info(f"optimal_method_name: {best}, optimal_value: {scores.get(best)}")
    cos = cosines.get(best, float("nan"))
    was = cosines.get(first, float("nan"))
    return SearchResult(
        "threshold", tables[best], base, was, cos, scores=scores, stopped=stopped, log=log.text
    )
