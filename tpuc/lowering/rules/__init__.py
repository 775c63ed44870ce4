"""Lowering rules: what each Top op becomes in each kind of arithmetic.

`int8_rules` maps a Top op to its integer form on a processor; an op that is not in it, or whose
rule returns a reason, becomes the processor's float type.
"""

from __future__ import annotations

from collections.abc import Callable

from tpuc.errors import ConfigError
from tpuc.ir import Node
from tpuc.lowering.context import Lowering
from tpuc.lowering.rules.activation import ACTIVATION_INT8
from tpuc.lowering.rules.attention import lower_attention
from tpuc.lowering.rules.convolution import CONVOLUTION_INT8
from tpuc.lowering.rules.elementwise import ELEMENTWISE_INT8
from tpuc.lowering.rules.float8 import FLOAT8, FLOAT8_OPS, lower_float8
from tpuc.lowering.rules.floating import lower_float
from tpuc.lowering.rules.four_bits import can_be_four_bits, lower_four_bits, reading_nibbles
from tpuc.lowering.rules.matmul import MATMUL_INT8
from tpuc.lowering.rules.movement import (
    KEEP_TYPE,
    MOVEMENT_INT8,
    keep_type,
    name_shared_casts,
)
from tpuc.lowering.rules.pooling import POOLING_INT8
from tpuc.lowering.rules.qdm import QDM_INT8
from tpuc.lowering.rules.qdm_terms import QDM_TERMS_INT8
from tpuc.lowering.rules.resizing import QDM_RESIZING
from tpuc.lowering.rules.selection import SELECTION_INT8, lower_cast
from tpuc.lowering.rules.shift_only import SHIFT_ONLY_INT8
from tpuc.lowering.rules.shift_terms import SHIFT_TERMS_INT8
from tpuc.lowering.rules.weight_only import WEIGHT_ONLY, Groups, lower_weight_only
from tpuc.processors import Processor

__all__ = [
    "FLOAT8",
    "FLOAT8_OPS",
    "KEEP_TYPE",
    "WEIGHT_ONLY",
    "Groups",
    "can_be_four_bits",
    "int8_rules",
    "keep_type",
    "lower_cast",
    "lower_float",
    "lower_float8",
    "lower_four_bits",
    "lower_weight_only",
    "name_shared_casts",
    "reading_nibbles",
]

Rules = dict[str, Callable[[Lowering, Node], str | None]]

INT8_RULES: Rules = {
    **CONVOLUTION_INT8,
    **MATMUL_INT8,
    **ELEMENTWISE_INT8,
    **POOLING_INT8,
    **ACTIVATION_INT8,
    **MOVEMENT_INT8,
    **SELECTION_INT8,
    "Attention": lower_attention,
}
"""Top op to rule; a rule returns why it does not apply, or None."""

INT8_FORMS: dict[str, Rules] = {
    "multiplier_shift": {},
    "shift_only": {**SHIFT_ONLY_INT8, **SHIFT_TERMS_INT8},
    "qdm": {**QDM_INT8, **QDM_TERMS_INT8, **QDM_RESIZING},
}
"""What each form of requantization does otherwise than `INT8_RULES`."""


def int8_rules(processor: Processor) -> Rules:
    """The integer form of each op that has one on a processor.

    Raises
    ------
    ConfigError : nobody knows its form of requantization
    """
    if processor.requant not in INT8_FORMS:
        raise ConfigError(
            f"processor '{processor.name}': requant is {processor.requant}; "
            f"expected one of {', '.join(INT8_FORMS)}"
        )
    rules = {**INT8_RULES, **INT8_FORMS[processor.requant]}
    return {op: rule for op, rule in rules.items() if op not in processor.float_ops}
