"""Rows of Graph[tpu]: lowered ops. Integer arithmetic is described in `lowering/` and `kernels/`."""

from __future__ import annotations

from tpuc.ir.spec import WINDOW, A, OpSpec, row, table
from tpuc.ir.top_ops import TOP_OPS

__all__ = ["TPU_OPS"]

_ROWS: list[OpSpec] = [
    TOP_OPS["Input"],
    row("Cast", "input", {"round_mode": A("str", "HalfAwayFromZero")}),
    row(
        "Conv2D",
        "input filter bias?",
        {
            **WINDOW,
            "dilations": A("i64[]", None),
            "group": A("i64", 1),
            "multiplier": A("i64[]", None),  # one per output channel; absent when float
            "rshift": A("i64[]", None),
            "quant_mode": A("str", "MultiplierShift"),
            "round_mode": A("str", "HalfUp"),
        },
        fuses_relu=True,
    ),
]

TPU_OPS = table(_ROWS)
