"""What the page shows of a search: ranked losses, what making ops float bought, the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tpuc.reports.charts import dots, line
from tpuc.reports.search_data import Mix, SearchedOp, SearchView

__all__ = ["SearchedView", "searched_view"]

_RANKED = 20


@dataclass(frozen=True)
class Ranked:
    """One bar of the ranked losses."""

    op: SearchedOp
    share: float
    is_high: bool


@dataclass(frozen=True)
class Front:
    """Cost against score: paths, and the labels of the axes' ends."""

    trace: Markup
    points: Markup
    costs: tuple[float, float]
    scores: tuple[float, float]


@dataclass(frozen=True)
class SearchedView:
    """A search, laid out.

    Parameters
    ----------
    loss_left : float, optional
        Share of the loss before that is left.
    """

    data: SearchView
    ranked: tuple[Ranked, ...]
    more: int
    loss_left: float | None
    front: Front | None


def searched_view(data: SearchView) -> SearchedView:
    """Lay out a search."""
    top = max((op.loss for op in data.ops), default=0.0) or 1.0
    ranked = [Ranked(op, max(op.loss, 0.0) / top, _is_high(data, op)) for op in data.ops[:_RANKED]]
    before, after = 1.0 - data.before, 1.0 - data.after
    left = after / before if before > 0 else None
    more = max(0, len(data.ops) - _RANKED)
    return SearchedView(data, tuple(ranked), more, left, _front(data.front))


def _is_high(data: SearchView, op: SearchedOp) -> bool:
    return op.name in data.chosen or op.dtype.startswith(("f", "bf"))


def _front(points: Sequence[Mix]) -> Front | None:
    if len(points) < 2:
        return None
    costs, scores = [p.cost for p in points], [p.cos for p in points]
    wide = max(costs) - min(costs) or 1.0
    high = max(scores) - min(scores) or 1.0
    places = [
        (0.03 + 0.94 * (cost - min(costs)) / wide, 0.06 + 0.88 * (score - min(scores)) / high)
        for cost, score in zip(costs, scores)
    ]
    ends = (min(costs), max(costs)), (min(scores), max(scores))
    return Front(line(places), dots(places), *ends)
