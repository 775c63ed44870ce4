"""Ops that a rule makes float: who says so, why, and in which type.

The type `auto` is a fact of the processor: `float_type`, or F32 for the tail of a detector whose
head is float in two stages, where the processor mixes F32 with integers.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpuc.errors import ConfigError
from tpuc.processors import Processor

__all__ = ["SOURCES", "FloatOp", "float_mode", "tail_mode"]

# Strongest first. `precise` and `tail` are patterns too: F32 ops, and the last stage of a head.
SOURCES = ("user", "fp_forward", "precise", "shape", "tail", "pattern", "part_quantize", "search")


@dataclass(frozen=True)
class FloatOp:
    """One row of a quantize table before tables are merged.

    Parameters
    ----------
    name : str
        As TPU-MLIR writes the row: the op's name, one row for each result of an op with several;
        a Div of an OpenCLIP network carries the suffix `_inv`.
    op : str
        Name of the op in the graph.
    mode : str
        F16, BF16 or F32.
    source : str
        One of `SOURCES`.
    reason : str
        Why, for reports: "yolo_block: after the head convolution '/model.22/...'".
    """

    name: str
    op: str
    mode: str
    source: str
    reason: str


def float_mode(processor: Processor, fp_type: str = "auto") -> str:
    """Float type that stands beside integers.

    Raises
    ------
    ConfigError : the processor does not mix that type with integers
    """
    if fp_type == "auto":
        return processor.float_type
    mixes = processor.mix_types or (processor.float_type,)
    if fp_type not in mixes:
        raise ConfigError(
            f"fp_type: {processor.name} does not mix {fp_type} with integers; "
            f"expected auto or {', '.join(mixes)}"
        )
    return fp_type


def tail_mode(processor: Processor, fp_type: str = "auto") -> str:
    """Float type of the last ops of a head that is float in two stages: F32 where possible."""
    if fp_type == "auto" and "F32" in processor.mix_types:
        return "F32"
    return float_mode(processor, fp_type)
