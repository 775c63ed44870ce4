"""Checks of the correction group: ranges, and what it needs of the build."""

from __future__ import annotations

from tpuc.config.schema import Job
from tpuc.errors import ConfigError

__all__ = ["check_correction"]

_BEFORE = ("smoothquant", "weight_equalization", "softmax_correction")
"""What is done before thresholds are found."""
_SAMPLED = ("smoothquant", "softmax_correction")
"""What of it looks at samples."""
_ON = ("auto", "bias_correction", "adaround")


def check_correction(job: Job) -> None:
    """Check the group without the model.

    Raises
    ------
    ConfigError : a number is out of range, or the build has nothing that could be corrected
    """
    correction = job.correction
    for key in ("bc_inference_num", "adaround_num", "auto_num"):
        value = getattr(correction, key)
        if value < 1:
            raise ConfigError(f"correction.{key}: {value} is too small; expected at least 1")
    if not 0.0 <= correction.min_layer_cos <= 1.0:
        raise ConfigError(
            f"correction.min_layer_cos: {correction.min_layer_cos:g} is no cosine; expected 0 to 1"
        )
    on = [key for key in _ON if getattr(correction, key)]
    integer = [*on, *(key for key in _BEFORE if getattr(correction, key))]
    mode = job.quantize.mode.name
    if integer and mode not in ("INT8", "INT4"):
        raise ConfigError(
            f"correction.{integer[0]}: there are no integer weights with quantize.mode={mode}; "
            "expected INT8 or INT4. Hint: correction=none"
        )
    rounding = [key for key in ("auto", "adaround") if getattr(correction, key)]
    if rounding and mode == "INT4":
        raise ConfigError(
            f"correction.{rounding[0]}: rounding is learned for 8 bits alone, not with "
            "quantize.mode=INT4. Hint: correction=bias_correction"
        )
    if correction.auto and len(on) > 1:
        raise ConfigError(
            f"correction.{on[1]}: has no meaning with correction.auto, which tries it anyway. "
            f"Hint: correction.auto=false"
        )
    learning = [*on, *(k for k in _SAMPLED if getattr(correction, k))]
    if learning and job.dataset.path is None and job.dataset.list is None:
        raise ConfigError(
            f"correction.{learning[0]}: needs samples. "
            "Hint: dataset.path=FOLDER, or correction=none"
        )
