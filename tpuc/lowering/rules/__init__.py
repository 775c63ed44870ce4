"""Lowering rules: what each Top op becomes in each kind of arithmetic.

`INT8_RULES` maps a Top op to its integer form; an op that is not in it, or whose rule returns a
reason, becomes the float type that `INT8_FLOAT` names (F16 by default). `FLOAT_RULES` holds the
float forms.
"""

from __future__ import annotations

from collections.abc import Callable

from tpuc.ir import Node
from tpuc.lowering.context import Lowering
from tpuc.lowering.rules.activation import ACTIVATION_INT8
from tpuc.lowering.rules.attention import lower_attention
from tpuc.lowering.rules.convolution import CONVOLUTION_INT8
from tpuc.lowering.rules.elementwise import ELEMENTWISE_INT8
from tpuc.lowering.rules.floating import lower_float
from tpuc.lowering.rules.matmul import MATMUL_INT8
from tpuc.lowering.rules.movement import (
    KEEP_TYPE,
    MOVEMENT_INT8,
    keep_type,
    name_shared_casts,
)
from tpuc.lowering.rules.pooling import POOLING_INT8
from tpuc.lowering.rules.selection import SELECTION_INT8, lower_cast

__all__ = ["INT8_RULES", "KEEP_TYPE", "keep_type", "lower_cast", "lower_float", "name_shared_casts"]

INT8_RULES: dict[str, Callable[[Lowering, Node], str | None]] = {
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
