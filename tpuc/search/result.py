"""What a search found, and the lines of its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tpuc.artifacts import CalibrationTable, Choice, QuantizeTable

__all__ = [
    "Candidate",
    "FrontPoint",
    "LayerLoss",
    "Log",
    "SearchResult",
    "Start",
    "with_choices",
    "with_threshold",
]


@dataclass(frozen=True)
class Start:
    """What a search starts from.

    Parameters
    ----------
    table : CalibrationTable
        Thresholds until better ones are found; min and max of all tensors.
    base : QuantizeTable
        Ops decided before; they stay as they are.
    mode : str
        Float type that a search gives to ops.
    """

    table: CalibrationTable
    base: QuantizeTable
    mode: str


@dataclass(frozen=True)
class Candidate:
    """One threshold of one op: the loss with this op alone quantized by it.

    Parameters
    ----------
    gave_up : bool
        The run was stopped when it could not win any more; the loss is a lower bound.
    """

    method: str
    threshold: float
    loss: float
    snr: float
    gave_up: bool = False


@dataclass(frozen=True)
class LayerLoss:
    """What quantizing one op costs.

    Parameters
    ----------
    name, type : str
        Op of Graph[top].
    best : Candidate
    candidates : tuple of Candidate
    """

    name: str
    type: str
    best: Candidate
    candidates: tuple[Candidate, ...]

    @property
    def loss(self) -> float:
        """Least loss of all candidates."""
        return self.best.loss

    @property
    def snr(self) -> float:
        """Least noise-to-signal ratio of all candidates that were run whole."""
        return min(c.snr for c in self.candidates if not c.gave_up)


@dataclass(frozen=True)
class FrontPoint:
    """One mix of types: its cost relative to the network with every op quantized, its score.

    Parameters
    ----------
    int8_ops : tuple of str
        In 8 bits, of those that could have 4; the cost is then relative to all in 8 bits.
    """

    float_ops: tuple[str, ...]
    cost: float
    cos: float
    int8_ops: tuple[str, ...] = ()


@dataclass(frozen=True)
class SearchResult:
    """Outcome of a search.

    Parameters
    ----------
    method : str
    table : CalibrationTable
        With the thresholds found best.
    qtable : QuantizeTable
        Ops that are not in the build's own type.
    quantized_cos : float
        Score of the network before: every op that can be quantized is.
    cos : float
        Score with `table` and `qtable`.
    losses : tuple of LayerLoss
        Largest first.
    scores : mapping of str to float
        Scores of whole tables, by calibration method (search=threshold), or of the number of float
        ops that were tried (search=qtable).
    float_ops : tuple of str
        Ops that this search made float (mixing 4 and 8 bits: kept in 8 bits), most sensitive
        first.
    int8_ops : tuple of str
        Ops that stay in 8 bits (search=pareto that mixes 4 bits too).
    front : tuple of FrontPoint
        Best mixes, cheapest first (search=pareto).
    goal : float, optional
        Score that was wanted, where it is not `search.expected_cos` itself.
    stopped : str
        Why the search ended early; empty if it did not.
    log : str
        Text of the log file.
    """

    method: str
    table: CalibrationTable
    qtable: QuantizeTable
    quantized_cos: float
    cos: float
    losses: tuple[LayerLoss, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    float_ops: tuple[str, ...] = ()
    int8_ops: tuple[str, ...] = ()
    front: tuple[FrontPoint, ...] = ()
    goal: float | None = None
    stopped: str = ""
    log: str = ""


class Log:
    """Lines in the form of TPU-MLIR's logs (`Search_Qtable` and the like)."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def info(self, line: str) -> None:
        """Add a line."""
        self._lines.append(f"INFO:root:{line}")

    @property
    def text(self) -> str:
        """The whole log."""
        return "\n".join([*self._lines, ""])


def with_threshold(table: CalibrationTable, name: str, threshold: float) -> CalibrationTable:
    """A table with another threshold for one op, as printed: 7 decimals. Its min and max stay."""
    row = replace(table.ranges[name], threshold=round(threshold, 7))
    return replace(table, ranges={**table.ranges, name: row})


def with_choices(base: QuantizeTable, names: Mapping[str, str], mode: str) -> QuantizeTable:
    """`base` with more ops of type `mode`: name to the reason. What `base` says stays."""
    more = {n: Choice(mode, why, "search") for n, why in names.items() if n not in base.choices}
    return QuantizeTable({**base.choices, **more})
