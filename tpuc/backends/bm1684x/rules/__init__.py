"""Instruction selection: how each op of Graph[tpu] becomes commands, one family a module.

A rule says why it can not have an op (`covers`, None when it can), and appends the commands
(`emit`).
"""

from __future__ import annotations

from tpuc.backends.bm1684x.rules import casts, convolution, elementwise, movement, pooling
from tpuc.backends.bm1684x.rules.rule import Rule

__all__ = ["RULES", "Rule"]

RULES: dict[str, Rule] = {
    **casts.RULES,
    **convolution.RULES,
    **elementwise.RULES,
    **movement.RULES,
    **pooling.RULES,
}
