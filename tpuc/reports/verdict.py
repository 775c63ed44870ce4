"""Is it accurate enough, where is accuracy lost, and which keys to try next."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tpuc.reports.commands import changed, float_ops
from tpuc.reports.data import Accuracy, LayerRow, ReportData
from tpuc.reports.search_data import SearchView

__all__ = ["Hint", "Loss", "Verdict", "clip_share", "judge", "losses", "reach"]

GOOD_COS, FAIR_COS = 0.99, 0.97
GOOD_DROP, FAIR_DROP = 0.01, 0.03  # of top-1, top-5 and mAP, shares
_FEW_SAMPLES = 50


@dataclass(frozen=True)
class Loss:
    """Similarity that one op loses: cosine of its worst input less its own."""

    layer: LayerRow
    before: float
    drop: float


@dataclass(frozen=True)
class Hint:
    """Something to try: keys for the command line, why, and the whole command if there is one."""

    keys: str
    why: str
    command: str = ""


@dataclass(frozen=True)
class Verdict:
    """The first thing a reader sees.

    Parameters
    ----------
    level : {'good', 'fair', 'poor', 'unknown'}
    title, text : str
    hints : tuple of Hint
    """

    level: str
    title: str
    text: str
    hints: tuple[Hint, ...]


_TITLES = {
    "good": "Accurate enough",
    "fair": "Usable, look closer",
    "poor": "Not accurate enough",
    "unknown": "Accuracy was not measured",
}


def losses(layers: tuple[LayerRow, ...]) -> list[Loss]:
    """Ops that lose similarity, worst first; inputs without a figure count as exact."""
    cos = {row.name: row.cos for row in layers if row.cos is not None}
    found = []
    for row in layers:
        if row.cos is None:
            continue
        before = min((cos.get(name, 1.0) for name in row.inputs), default=1.0)
        found.append(Loss(row, before, before - row.cos))
    found.sort(key=lambda loss: -loss.drop)
    return [loss for loss in found if loss.drop > 0]


def judge(data: ReportData) -> Verdict:
    """Verdict and hints.

    good: output cosine (mean over samples) >= 0.99 and no top-1, top-5 or mAP lost beyond 1 point;
    fair: 0.97 and 3 points; a missed goal is poor.
    """
    level, text = _level(data.accuracy)
    hints = (
        replace(hint, command=hint.command or changed(data.command, hint.keys))
        for hint in _hints(data, level)
    )
    return Verdict(level, _TITLES[level], text, tuple(hints))


def _level(accuracy: Accuracy) -> tuple[str, str]:
    levels, facts = [], []
    if accuracy.output_cos_mean is not None:
        cos = accuracy.output_cos_mean
        levels.append("good" if cos >= GOOD_COS else "fair" if cos >= FAIR_COS else "poor")
        facts.append(f"the output's cosine to float is {cos:.4f}")
    for name, before, after in (
        ("top-1", accuracy.float_top1, accuracy.top1),
        ("top-5", accuracy.float_top5, accuracy.top5),
        ("mAP", accuracy.float_map, accuracy.map),
    ):
        if before is None or after is None:
            continue
        drop = before - after
        levels.append("good" if drop <= GOOD_DROP else "fair" if drop <= FAIR_DROP else "poor")
        change = "keeps" if drop == 0 else "loses" if drop > 0 else "gains"
        points = "" if drop == 0 else f" {abs(drop) * 100:.1f} points"
        facts.append(f"{name} {change}{points or f' its {after * 100:.1f} %'}")
    if accuracy.goals_missed:
        return "poor", " ".join(accuracy.goals_missed)
    if not levels:
        return "unknown", "Give dataset.path to compare with the float network."
    text = "; ".join(facts)
    count = f" over {accuracy.samples} samples" if accuracy.samples else ""
    worst = max(levels, key=["good", "fair", "poor"].index)
    return worst, f"{text[0].upper()}{text[1:]}{count}."


def _hints(data: ReportData, level: str) -> list[Hint]:
    """Concrete keys, most promising first; none where nothing is wrong."""
    hints: list[Hint] = []
    if level == "unknown":
        hints.append(Hint("dataset.path=FOLDER", "pictures to calibrate on and to compare with"))
    samples = data.calibration_facts.get("samples")
    if level in ("fair", "poor"):
        if isinstance(samples, int) and 0 < samples < _FEW_SAMPLES:
            said = f"only {samples} samples were calibrated"
            hints.append(Hint("dataset.path=FOLDER calibration.input_num=100", said))
        if data.mode.startswith("INT") and data.correction is None:
            said = "tries thresholds and corrections of weights; none makes the chip slower"
            hints.append(Hint("correction=auto", said))
        hints += _search_hints(data)
        hints += _layer_hints(data)
        if data.mode.startswith("INT"):
            hints.append(Hint("quantize=f16", "shows whether quantization is the cause at all"))
    if data.accuracy.overlap:
        hints.append(Hint("evaluation.path=FOLDER", "other samples than those calibrated on"))
    return hints


def _search_hints(data: ReportData) -> list[Hint]:
    """Search where none ran; where one missed its goal, more room for it."""
    if not data.mode.startswith("INT"):
        return []
    if data.search is None:
        return [
            Hint("search=qtable", "finds the ops that cost most and makes them float"),
            Hint("search=threshold", "finds the calibration method that serves this network best"),
        ]
    floats = sum(op.dtype.startswith(("f", "bf")) for op in data.search.ops)
    if data.search.method == "threshold":
        return [Hint("search=qtable", "also makes the ops float that cost most")]
    if data.search.stopped:
        limit = data.search.stopped.partition("=")[0]
        return [Hint(f"{limit}=null", "goes on where the search was stopped")]
    if data.search.high != "float":
        return []
    if data.search.after > data.search.goal:
        budgeted = "search.budget=" in data.command
        return [] if budgeted else _a_higher_goal(data.search, data.accuracy)
    hints = []
    if floats < len(data.search.ops):
        more = min(2 * max(floats, 1), len(data.search.ops))
        said = f"{floats} float ops were not enough; the next in the ranking cost most"
        hints.append(Hint(f"search.max_float_layers={more}", said))
    if data.search.method != "pareto":
        hints.append(Hint("search=pareto", "the best mix for each cost"))
    return hints


def _a_higher_goal(search: SearchView, accuracy: Accuracy) -> list[Hint]:
    """Where the samples that chose are served better than those that judge."""
    judged = accuracy.output_cos_mean
    if judged is None or judged >= search.after:
        return []
    said = f"the samples that chose score {search.after:.4f}, those that judge {judged:.4f}"
    return [Hint(f"search.expected_cos={1 - (1 - search.after) / 2:.4f}", said)]


def _layer_hints(data: ReportData) -> list[Hint]:
    worst = [loss.layer for loss in losses(data.layers)[:5]]
    hints = []
    clipped = [row for row in worst if clip_share(row) > 0.5]
    if clipped:
        row = clipped[0]
        hints.append(
            Hint(
                "-m calibration=max,percentile9999,mse",
                f"'{row.name}' is cut at {row.threshold:.4g} although it reaches "
                f"{reach(row):.4g}; a wider threshold may serve it better",
            )
        )
    elif worst:
        hints.append(
            Hint("-m calibration=kl,mse,max,percentile9999", "one build for each threshold method")
        )
    if data.mode.startswith("INT") and worst:
        rows = [f"{row.name} F16" for row in worst[:3]]
        said = f"keeps ops in a float type: a file with the lines {', '.join(map(repr, rows))}"
        hints.append(Hint("quantize.table=FILE", said, float_ops(data.command, rows)))
    return hints


def reach(row: LayerRow) -> float:
    """Largest absolute value that was seen."""
    return max(abs(row.min or 0.0), abs(row.max or 0.0))


def clip_share(row: LayerRow) -> float:
    """Share of the range that lies beyond the threshold."""
    top = reach(row)
    return 0.0 if not top or row.threshold is None else 1.0 - row.threshold / top
