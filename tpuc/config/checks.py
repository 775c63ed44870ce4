"""Checks that need more than a type: files, combinations, ranges. All before any work starts."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from tpuc.config.commands import FILES
from tpuc.config.correction_checks import check_correction
from tpuc.config.evaluation_checks import check_evaluation
from tpuc.config.schema import Job, Mode
from tpuc.config.search_checks import FOUR_BIT_METHODS, check_search, low_type_of_search
from tpuc.errors import ConfigError
from tpuc.processors import Processor, load_processor

__all__ = ["STAGES", "check_job", "nearest", "with_mode"]

STAGES = (
    "check",
    "import",
    "calibrate",
    "search",
    "correct",
    "lower",
    "evaluate",
    "emit",
    "report",
)


def nearest(word: str, choices: Sequence[str]) -> str:
    """`; did you mean 'x'?`, or all choices if nothing is near."""
    close = difflib.get_close_matches(word, choices, 1, 0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; expected one of {', '.join(choices)}"


def with_mode(job: Job) -> Job:
    """A search that mixes other types than INT8 and floats builds the lower of them."""
    low = low_type_of_search(job)
    if low is not None and job.quantize.mode == Mode.INT8:
        return replace(job, quantize=replace(job.quantize, mode=Mode[low]))
    return job


def check_job(job: Job) -> Processor:
    """Check what can be checked without reading the model.

    Raises
    ------
    ConfigError : names the key, the value and what would be right
    """
    if job.stop_after is not None and job.stop_after not in STAGES:
        raise ConfigError(
            f"stop_after: no stage '{job.stop_after}'{nearest(job.stop_after, STAGES)}"
        )
    processor = load_processor(job.processor)
    _check_types(job, processor)
    _check_model(job)
    _check_numbers(job)
    check_evaluation(job)
    _check_calibration(job)
    check_correction(job)
    check_search(job, processor)
    for key in FILES:
        value = attrgetter(key)(job)
        if value is not None and not value.startswith("zoo:") and not Path(value).exists():
            raise ConfigError(f"{key}: no such file or folder: {value}{_sibling(Path(value))}")
    return processor


def _check_types(job: Job, processor: Processor) -> None:
    quantize = job.quantize
    mode, size = quantize.mode.name, quantize.q_group_size
    processor.require(mode)
    for key in ("asymmetric", "part_asymmetric"):
        if getattr(quantize, key) and mode != "INT8":
            raise ConfigError(
                f"quantize.{key}: {mode} has no zero points; expected quantize.mode=INT8. "
                f"Hint: quantize.{key}=false"
            )
        if getattr(quantize, key):
            processor.require_zero_points(f"quantize.{key}")
    if quantize.part_asymmetric and job.calibration.method.name == "from_file":
        raise ConfigError(
            "quantize.part_asymmetric: the table in a file says itself which ops are asymmetric "
            "(section #asym_op). Hint: quantize.part_asymmetric=false"
        )
    if size < 0 or size % 2:
        raise ConfigError(
            f"quantize.q_group_size={size}; expected an even number of weights, or 0. "
            "Hint: quantize.q_group_size=64"
        )


def _sibling(path: Path) -> str:
    folder = path.parent if str(path.parent) else Path()
    if not folder.is_dir():
        return f" (the folder {folder} does not exist either)"
    close = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], 1, 0.5)
    return f"; did you mean '{folder / close[0]}'?" if close else ""


def _check_model(job: Job) -> None:
    if job.model.path is None:
        raise ConfigError("model.path: not set. Hint: model.path=NET.onnx, or recipe=digits")
    if job.model.path.startswith("zoo:"):
        return
    path = Path(job.model.path)
    if not path.is_file():
        raise ConfigError(f"model.path: no such file: {path}{_sibling(path)}")


def _check_numbers(job: Job) -> None:
    bounds = {
        "calibration.input_num": (job.calibration.input_num, 1),
        "calibration.histogram_bins": (job.calibration.histogram_bins, 128),
        "calibration.tune_num": (job.calibration.tune_num, 0),
        "evaluation.input_num": (job.evaluation.input_num, 0),
        "report.values": (job.report.values, 0),
        "evaluation.task_num": (job.evaluation.task_num, 0),
        "evaluation.max_boxes": (job.evaluation.max_boxes, 1),
        "evaluation.pictures": (job.evaluation.pictures, 0),
        "threads": (job.threads, 0),
    }
    for key, (value, low) in bounds.items():
        if value < low:
            raise ConfigError(f"{key}: {value} is too small; expected at least {low}")
    goal = job.evaluation.expected_cos
    if goal is not None and not 0.0 <= goal <= 1.0:
        raise ConfigError(f"evaluation.expected_cos: {goal} is no cosine; expected 0 to 1")


def _check_calibration(job: Job) -> None:
    method = job.calibration.method.name
    table = job.calibration.table
    if method == "from_file":
        if table is None:
            raise ConfigError("calibration.table: not set; calibration.method=from_file needs it")
        if not Path(table).is_file():
            raise ConfigError(f"calibration.table: no such file: {table}{_sibling(Path(table))}")
    elif table is not None:
        raise ConfigError(
            f"calibration.table: has no meaning with calibration.method={method}. "
            "Hint: calibration=from_file"
        )
    if job.dataset.path is not None and job.dataset.list is not None:
        raise ConfigError("dataset.path and dataset.list are both set; expected one of them")
    mode = job.quantize.mode.name
    if mode == "INT4" and method not in (*FOUR_BIT_METHODS, "from_file"):
        raise ConfigError(
            f"calibration.method: {method} has no 4-bit thresholds; quantize.mode=INT4 takes "
            f"{', '.join(FOUR_BIT_METHODS)}. Hint: calibration=kl"
        )
    if mode == "F8E4M3" and method not in ("max", "from_file"):
        raise ConfigError(
            f"calibration.method: {method} is for integers; quantize.mode=F8E4M3, whose steps "
            "grow with the numbers, takes max. Hint: calibration=max"
        )
    needs_data = mode in ("INT8", "INT4", "F8E4M3") and method != "from_file"
    if needs_data and job.dataset.path is None and job.dataset.list is None:
        raise ConfigError(
            f"dataset.path: not set; calibration.method={method} needs samples. "
            "Hint: dataset.path=FOLDER, or calibration=from_file"
        )
