"""Checks of the search group: ranges, combinations, and what the processor has."""

from __future__ import annotations

import difflib

from tpuc.config.schema import Job, SearchConfig
from tpuc.errors import ConfigError
from tpuc.processors import Processor

__all__ = ["FOUR_BIT_METHODS", "MIX_MODES", "check_search", "float_mode", "is_four_bit_search",
           "low_type_of_search"]  # fmt: skip

METHODS = ("kl", "mse", "max", "percentile9999", "aciq_gauss", "aciq_laplace")
FOUR_BIT_METHODS = ("kl", "mse", "max", "percentile9999")
MIX_MODES = {
    "8_16": "INT8",
    "816": "INT8",
    "wi8ai8_fp": "INT8",
    "4_8": "INT4",
    "48": "INT4",
    "wi4ai4_wi8ai8": "INT4",
    "w4a8": "W4INT8",
    "wi4ai8_wi8ai8": "W4INT8",
    "wf8af8_fp": "F8E4M3",
    "wf4af16dyn_wf8af16dyn": "F4",
    "wf4abf16dyn_wf8abf16dyn": "F4",
}
"""Names of `search.mix_mode` (the manual's, and those of TPU-MLIR 1.30): the lower type. Written
without quotes, 4_8 is a number to Hydra: 48."""

_METHODS_OF = {"INT4": ("qtable", "pareto"), "F8E4M3": ("qtable",)}
"""Searches that start from a lower type than INT8."""
_TABLE_SEARCHES = {"threshold", "qtable", "sensitive_layer", "pareto"}


def float_mode(job: Job, processor: Processor) -> str:
    """Type that a search gives to sensitive ops; auto: the processor's own float type."""
    chosen = job.search.fp_type.name
    return processor.float_type if chosen == "auto" else chosen


def low_type_of_search(job: Job) -> str | None:
    """Type other than INT8 that a search starts from, if the processor has it; else None."""
    low = MIX_MODES.get(job.search.mix_mode, "")
    if job.search.method.name not in _METHODS_OF.get(low, ()):
        return None
    return low if low in job.processor.get("modes", ()) else None


def is_four_bit_search(job: Job) -> bool:
    """Whether the search mixes 4 and 8 bits, and the processor has them."""
    return low_type_of_search(job) == "INT4"


def check_search(job: Job, processor: Processor) -> None:
    """Check what can be checked without the model.

    Raises
    ------
    ConfigError : names the key, the value and what would be right
    """
    search = job.search
    mode = float_mode(job, processor)
    if mode not in processor.mix_types:
        raise ConfigError(
            f"search.fp_type: {mode} can not stand beside integers on {processor.name}; "
            f"it has {', '.join(processor.mix_types)}"
        )
    _check_mix_mode(job, processor)
    _check_numbers(search)
    _check_methods(search)
    _check_parts(job)
    method = search.method.name
    if search.budget is not None and method != "pareto":
        raise ConfigError("search.budget: has no meaning without search=pareto")
    if search.cost.name != "roofline" and method != "pareto":
        raise ConfigError("search.cost: has no meaning without search=pareto")
    if method == "none":
        return
    if method == "pareto":
        processor.require_peaks("search.method: pareto", ("INT8", mode))
    _check_low_type(job)
    if method in _TABLE_SEARCHES and job.dataset.path is None and job.dataset.list is None:
        raise ConfigError(
            f"dataset.path: not set; search.method={method} needs samples. "
            "Hint: dataset.path=FOLDER"
        )
    if method == "threshold" and job.calibration.method.name == "from_file":
        raise ConfigError(
            "search.method: threshold compares calibration methods, but calibration.method is "
            "from_file. Hint: calibration=kl"
        )
    _check_fp_forward(search)


def _check_low_type(job: Job) -> None:
    """The build is of the lower of the two types."""
    wanted, mode = MIX_MODES[job.search.mix_mode], job.quantize.mode.name
    if mode == wanted:
        return
    method = job.search.method.name
    fitting = [name for name in ("4_8", "wf8af8_fp") if MIX_MODES[name] == mode]
    possible = fitting and method in _METHODS_OF[mode]
    hint = f"search.mix_mode={fitting[0]}" if possible else f"quantize={wanted.lower()}"
    raise ConfigError(
        f"search.method: {method} with search.mix_mode={job.search.mix_mode} builds {wanted}; "
        f"quantize.mode is {mode}. Hint: {hint}, or search=none"
    )


def _check_parts(job: Job) -> None:
    quantize = job.quantize
    integer = quantize.mode.name == "INT8"
    if (quantize.part_quantize or quantize.custom_operators) and not integer:
        raise ConfigError(
            f"quantize.part_quantize: has no meaning with quantize.mode={quantize.mode.name}"
        )
    if quantize.custom_operators and quantize.part_quantize != "custom_mode":
        raise ConfigError(
            "quantize.custom_operators: has no meaning without quantize.part_quantize=custom_mode"
        )
    if job.search.pre_qtable is not None and quantize.table is not None:
        raise ConfigError(
            "search.pre_qtable and quantize.table are both set; expected one of them: "
            "pre_qtable replaces every other table"
        )


def _check_mix_mode(job: Job, processor: Processor) -> None:
    search = job.search
    if search.mix_mode not in MIX_MODES:
        close = difflib.get_close_matches(search.mix_mode, MIX_MODES, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"expected one of {', '.join(MIX_MODES)}"
        raise ConfigError(f"search.mix_mode: no mode '{search.mix_mode}'; {hint}")
    low = MIX_MODES[search.mix_mode]
    shown = {"48": "4_8", "816": "8_16"}.get(search.mix_mode, search.mix_mode)
    if low not in processor.modes:
        raise ConfigError(
            f"search.mix_mode: {shown} needs {low}, which {processor.name} does not "
            f"have; it has {', '.join(processor.modes)}. Hint: search.mix_mode=8_16"
        )
    if low not in ("INT8", *_METHODS_OF):
        raise ConfigError(
            f"search.mix_mode: {shown} ({low}) is not available yet; "
            "expected 8_16, 4_8 or wf8af8_fp"
        )
    methods = _METHODS_OF.get(low)
    if methods is not None and search.method.name not in methods:
        raise ConfigError(
            f"search.mix_mode: {shown} has no meaning with search={search.method.name}; "
            f"expected search={' or search='.join(methods)}. Hint: search.mix_mode=8_16"
        )
    for name in search.quantize_methods if low == "INT4" else ():
        if name.lower() in METHODS and name.lower() not in FOUR_BIT_METHODS:
            raise ConfigError(
                f"search.quantize_methods: {name} has no 4-bit thresholds; "
                f"search.mix_mode={shown} takes {', '.join(FOUR_BIT_METHODS)}"
            )


def _check_numbers(search: SearchConfig) -> None:
    if not 0.0 <= search.expected_cos <= 1.0:
        raise ConfigError(
            f"search.expected_cos: {search.expected_cos} is no cosine; expected 0 to 1"
        )
    least = {
        "inference_num": (search.inference_num, 1),
        "max_float_layers": (search.max_float_layers, 0),
        "max_seconds": (search.max_seconds, 0),
        "max_trials": (search.max_trials, 1),
        "budget": (search.budget, 0),
    }
    for key, (value, low) in least.items():
        if value is not None and value < low:
            raise ConfigError(f"search.{key}: {value} is too small; expected at least {low}")


def _check_methods(search: SearchConfig) -> None:
    if not search.quantize_methods:
        raise ConfigError(f"search.quantize_methods: empty; expected some of {', '.join(METHODS)}")
    for method in search.quantize_methods:
        if method.lower() not in METHODS:
            close = difflib.get_close_matches(method.lower(), METHODS, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"expected {', '.join(METHODS)}"
            raise ConfigError(f"search.quantize_methods: no method '{method}'; {hint}")


def _check_fp_forward(search: SearchConfig) -> None:
    given = [
        key
        for key in ("fpfwd_inputs", "fpfwd_outputs", "fpfwd_blocks")
        if getattr(search, key) is not None
    ]
    if search.method.name == "fp_forward" and not given:
        raise ConfigError(
            "search.fpfwd_outputs: not set; search=fp_forward needs fpfwd_inputs, fpfwd_outputs "
            "or fpfwd_blocks"
        )
    if search.method.name != "fp_forward" and given:
        raise ConfigError(f"search.{given[0]}: has no meaning without search=fp_forward")
