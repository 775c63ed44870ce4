"""What a report is made of: plain, immutable values, numbers as Python has them.

None says that a figure was not measured, and a `Note` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tpuc.reports.correction_data import CorrectionView
from tpuc.reports.delegate_data import Delegate
from tpuc.reports.search_data import SearchView
from tpuc.reports.task_data import TaskView
from tpuc.reports.timeline_data import Timeline

__all__ = [
    "Accuracy",
    "Artifact",
    "Cost",
    "Fact",
    "Histogram",
    "LayerRow",
    "Note",
    "ReportData",
    "SweepRow",
    "Timing",
    "Values",
    "WeightRange",
]

Fact = bool | int | float | str | None | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True)
class Histogram:
    """Counts of |x| in equal bins from 0 to `high`, real units."""

    counts: tuple[float, ...]
    high: float


@dataclass(frozen=True)
class WeightRange:
    """Range of an op's float weight.

    Parameters
    ----------
    min, max : float
        Over the whole tensor.
    channel_max : tuple of float
        Largest |w| of each output channel; may be empty.
    channel_low, channel_high : tuple of float
        Range of each output channel; may be empty.
    """

    min: float
    max: float
    channel_max: tuple[float, ...] = ()
    channel_low: tuple[float, ...] = ()
    channel_high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Values:
    """Some values of a tensor: of the float network, and of the lowered one at the same places."""

    real: tuple[float, ...]
    lowered: tuple[float, ...]


@dataclass(frozen=True)
class LayerRow:
    """One op of the float graph, in program order.

    Parameters
    ----------
    name, type : str
        TPU-MLIR's loc and op type (`Conv`).
    dtype : str
        Type that its output was lowered to: `si8`, `ui8`, `f16`, ...
    threshold, min, max : float, optional
        Calibrated, real units.
    cos, sqnr_db : float, optional
        Lowered against float, mean over the evaluated samples.
    reason : str
        Why it is not in the build's own type; empty if it is.
    inputs : tuple of str
        Names of the ops that it reads; with them the report tells where similarity is lost.
    shape : tuple of int
        Of the output.
    macs : int
        Multiply-accumulates of one inference.
    weight_bytes : int
        As stored in the bmodel.
    values : Values, optional
        For the page alone; report.json has none.
    """

    name: str
    type: str
    dtype: str
    threshold: float | None = None
    min: float | None = None
    max: float | None = None
    cos: float | None = None
    sqnr_db: float | None = None
    reason: str = ""
    inputs: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    macs: int = 0
    weight_bytes: int = 0
    histogram: Histogram | None = None
    weights: WeightRange | None = None
    values: Values | None = None


@dataclass(frozen=True)
class Accuracy:
    """Float against lowered network.

    Parameters
    ----------
    samples : int
        Evaluated samples.
    output_cos_mean, output_cos_min : float, optional
        Cosine of the outputs over samples.
    sqnr_db : float, optional
        Of the outputs.
    float_top1, top1, float_top5, top5 : float, optional
        Share of samples (0 to 1), where labels are known.
    agreement_top1 : float, optional
        Share of samples where both networks choose the same class.
    float_map, map : float, optional
        Mean average precision of a detector.
    overlap : str
        What the report must say when evaluated samples were also used to calibrate or search.
    goals_missed : tuple of str
        One sentence for each stated goal that was missed.
    """

    samples: int = 0
    output_cos_mean: float | None = None
    output_cos_min: float | None = None
    sqnr_db: float | None = None
    float_top1: float | None = None
    top1: float | None = None
    float_top5: float | None = None
    top5: float | None = None
    agreement_top1: float | None = None
    float_map: float | None = None
    map: float | None = None
    overlap: str = ""
    goals_missed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cost:
    """What one inference costs.

    `float_weight_bytes` is the same network in F32; cycles and milliseconds are predicted from the
    chip's instructions.
    """

    macs: int = 0
    weight_bytes: int = 0
    float_weight_bytes: int | None = None
    instruction_bytes: int | None = None
    estimated_cycles: int | None = None
    estimated_ms: float | None = None


@dataclass(frozen=True)
class Timing:
    """Wall-clock time of one stage; `cached` if its result came from the stage cache."""

    stage: str
    seconds: float
    cached: bool = False


@dataclass(frozen=True)
class Artifact:
    """A file of the run folder, by its name there."""

    name: str
    size_bytes: int
    sha256: str
    what: str = ""


@dataclass(frozen=True)
class Note:
    """A pass, option or measurement that did not apply, and why."""

    topic: str
    reason: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportData:
    """Everything that a report says.

    Parameters
    ----------
    recipe, model, processor, mode : str
        `model` is its name; `mode` the build's type, for example `INT8`.
    command : str
        Repeats the run.
    model_facts, quantize_facts, calibration_facts, search_facts : mapping
        Shown as they are, in order: path, digest, inputs; asymmetric; method, samples; ...
    skipped : tuple of Note
    search : SearchView, optional
    decided : tuple of (source, names)
        Ops whose type something other than a rule of lowering decided, by who did.
    versions : mapping of str to str
    delegate : Delegate, optional
    correction : CorrectionView, optional
    task : TaskView, optional
    timeline : Timeline, optional
        For the page alone.
    """

    recipe: str
    model: str
    processor: str
    mode: str
    layers: tuple[LayerRow, ...]
    accuracy: Accuracy = Accuracy()
    cost: Cost = Cost()
    timings: tuple[Timing, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    skipped: tuple[Note, ...] = ()
    command: str = ""
    model_facts: Mapping[str, Fact] = field(default_factory=dict)
    quantize_facts: Mapping[str, Fact] = field(default_factory=dict)
    calibration_facts: Mapping[str, Fact] = field(default_factory=dict)
    search_facts: Mapping[str, Fact] = field(default_factory=dict)
    search: SearchView | None = None
    decided: tuple[tuple[str, tuple[str, ...]], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    delegate: Delegate | None = None
    correction: CorrectionView | None = None
    task: TaskView | None = None
    timeline: Timeline | None = None


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep.

    Parameters
    ----------
    overrides : tuple of str
        What this run changed, as on the command line.
    command : str
        Repeats the run alone.
    folder : str
        Its run folder, relative to the sweep's.
    status : {'done', 'goal missed', 'failed'}
    error : str
        One line, if it failed.
    has_page : bool
        Whether its folder holds report.html.
    """

    overrides: tuple[str, ...]
    command: str
    folder: str = ""
    status: str = "done"
    error: str = ""
    accuracy: Accuracy = Accuracy()
    cost: Cost = Cost()
    bmodel_bytes: int | None = None
    seconds: float | None = None
    has_page: bool = False
