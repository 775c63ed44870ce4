"""What a search tries to bring near the float network, and how the distance is measured.

    score(a, b) = 0.5 + 0.5 * cos(a, b)        TPU-MLIR's `cos`: 1 is equal, 0.5 is unrelated
    loss        = 1 - sum(rate_i * score_i) / sum(rate_i), mean over samples
    snr         = sum((b - a)^2) / (sum(a^2) + 1e-7), mean over samples

a is float, b is lowered. Compared are the outputs, or the tensors of `global_compare_layers`, or
what a user's `PostProcess` makes of them. TPU-MLIR's snr keeps only the last compared tensor; here
it is the weighted mean, which is the same where one tensor is compared.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.errors import ConfigError
from tpuc.ir import Graph

__all__ = ["Accuracy", "Objective", "Outputs", "Reference", "Score", "parse_compare_layers"]

Outputs = dict[str, np.ndarray]
PostProcess = Callable[[Outputs], Outputs]

_TINY = 1e-7


@dataclass(frozen=True)
class Score:
    """Mean over samples; `cos` 1 and `snr` 0 are equal to float. `loss` is 1 - cos.

    If `partial`, the run was given up, and `loss` is what it had come to: a lower bound.
    """

    cos: float
    snr: float
    partial: bool = False

    @property
    def loss(self) -> float:
        """What searches order by."""
        return 1.0 - self.cos


class Reference:
    """Float tensors of one inference, as `Objective.final` returns them, to compare many with.

    Attributes
    ----------
    shapes : list of (name, shape)
    arrays : list of ndarray
    norms, powers : list of float
        |a| and sum of a^2 of each.
    """

    def __init__(self, outputs: Outputs) -> None:
        self.shapes = _shapes(outputs)
        self.arrays = list(outputs.values())
        self.norms = [_norm(_flat(a)) for a in self.arrays]
        self.powers = [float(np.square(_flat(a)).sum()) for a in self.arrays]


def parse_compare_layers(text: str | None, graph: Graph) -> tuple[tuple[str, ...], list[float]]:
    """`'a,b'` or `'a:0.3,b:0.7'` to names and rates; without text the network's outputs.

    Raises
    ------
    ConfigError : the model has no such op; some rates are missing, or they do not sum to 1
    """
    if not text:
        return tuple(v.name for v in graph.outputs), [1.0] * len(graph.outputs)
    parts = [p.strip() for p in text.split(",") if p.strip()]
    known = [v.name for v in graph.values()]
    names: list[str] = []
    rates: list[str] = []
    for part in parts:
        name, rate = part, ""
        if part not in known and ":" in part:  # names may hold colons themselves
            name, _, rate = part.rpartition(":")
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ConfigError(f"search.global_compare_layers: the model has no op '{name}'{hint}")
        names.append(name)
        rates.append(rate)
    return tuple(names), _rates(rates)


def _rates(texts: Sequence[str]) -> list[float]:
    if not any(texts):
        return [1.0] * len(texts)
    try:
        rates = [float(t) for t in texts]
    except ValueError as error:
        raise ConfigError(
            "search.global_compare_layers: each layer needs a rate, or none; "
            "expected 'a,b' or 'a:0.3,b:0.7'"
        ) from error
    if min(rates) < 0 or abs(math.fsum(rates) - 1.0) > 1e-6:
        raise ConfigError(
            f"search.global_compare_layers: rates sum to {math.fsum(rates):g}; expected 1"
        )
    return rates


@dataclass(frozen=True)
class Objective:
    """Nearness to float.

    Parameters
    ----------
    names : tuple of str
        Compared tensors, by their name in Graph[top].
    rates : sequence of float
        Weight of each.
    post_process : callable, optional
        Applied to the dict of one inference's tensors, of either network, before comparing.
    """

    names: tuple[str, ...]
    rates: Sequence[float]
    post_process: PostProcess | None = None

    def final(self, outputs: Outputs) -> Outputs:
        """What is compared of one inference.

        Raises
        ------
        ConfigError : post_process fails or returns no dict of arrays
        """
        if self.post_process is None:
            return outputs
        try:
            result = self.post_process(dict(outputs))
        except Exception as error:  # whatever a user's program raises
            kind = type(error).__name__
            raise ConfigError(
                f"search.post_process: PostProcess failed with {kind}: {error}"
            ) from error
        if not isinstance(result, Mapping) or not result:
            raise ConfigError(
                "search.post_process: PostProcess returned "
                f"{type(result).__name__}; expected a dict of name to array"
            )
        empty = [name for name, array in result.items() if np.size(array) == 0]
        if empty:
            raise ConfigError(
                f"search.post_process: PostProcess returned nothing in '{empty[0]}'; "
                "expected arrays with at least one value"
            )
        return {str(k): np.asarray(v) for k, v in result.items()}

    def score(self, reference: Reference, outputs: Outputs) -> Score:
        """Score of one inference; `outputs` come from `final`.

        Raises
        ------
        ConfigError : post_process gave other names or shapes for float and lowered
        """
        shapes = _shapes(outputs)
        if reference.shapes != shapes:
            raise ConfigError(
                f"search.post_process: float gives {reference.shapes}, lowered {shapes}; "
                "expected the same names and shapes"
            )
        rates = list(self.rates)
        if len(rates) != len(shapes):  # PostProcess may return another number of arrays
            rates = [1.0] * len(shapes)
        total = math.fsum(rates)
        cos = snr = 0.0
        for index, (rate, array) in enumerate(zip(rates, outputs.values())):
            x, y = _flat(reference.arrays[index]), _flat(array)
            cos += rate * _cosine(x, y, reference.norms[index])
            snr += rate * float(np.square(y - x).sum() / (reference.powers[index] + _TINY))
        return Score(cos / total, snr / total)


def _shapes(outputs: Outputs) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, np.shape(array)) for name, array in outputs.items()]


def _flat(a: np.ndarray) -> np.ndarray:
    return np.asarray(a, np.float64).reshape(-1)


def _norm(x: np.ndarray) -> float:
    return math.sqrt(x.dot(x))


def _cosine(x: np.ndarray, y: np.ndarray, norm: float) -> float:
    norms = norm * _norm(y)
    cos = float(x.dot(y)) / norms if norms > 0 and math.isfinite(norms) else 0.0
    return 0.5 + 0.5 * (cos if math.isfinite(cos) else 0.0)


@dataclass(frozen=True)
class Accuracy:
    """Share of samples whose largest output is the right class: `search.objective=accuracy`.

    Ties between equally accurate candidates are broken by nearness to float, so that a search on
    few samples still sees a slope:

        cos = accuracy + 1e-3 * (score of Objective - 1), clipped at 0

    Parameters
    ----------
    near : Objective
        Of the network's outputs.
    labels : tuple of int
        Class of each sample.
    """

    near: Objective
    labels: tuple[int, ...]

    def final(self, outputs: Outputs) -> Outputs:
        """As `Objective.final`."""
        return self.near.final(outputs)

    def score_at(self, index: int, reference: Reference, outputs: Outputs) -> Score:
        """Score of sample `index`."""
        near = self.near.score(reference, outputs)
        right = int(np.argmax(next(iter(outputs.values())))) == self.labels[index]
        return Score(max(0.0, float(right) + 1e-3 * (near.cos - 1.0)), near.snr)
