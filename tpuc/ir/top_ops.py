"""Rows of Graph[top]: TPU-MLIR's Top dialect."""

from __future__ import annotations

from tpuc.ir.spec import WINDOW, A, OpSpec, row, table

__all__ = ["TOP_OPS"]

_ROWS: list[OpSpec] = [
    row(
        "Input",
        "",
        {
            "channel_format": A("str", None),
            "do_preprocess": A("bool", False),
            "keep_aspect_ratio": A("bool", None),
            "keep_ratio_mode": A("str", None),
            "mean": A("f64[]", None),
            "pad_type": A("str", None),
            "pad_value": A("i64", None),
            "pixel_format": A("str", None),
            "resize_dims": A("i64[]", None),
            "scale": A("f64[]", None),
            "yuv_type": A("str", None),
        },
    ),
    row(
        "Conv",
        "input filter bias?",
        {
            **WINDOW,
            "dilations": A("i64[]", None),
            "group": A("i64", 1),
            "dynweight_reorderd": A("bool", False),
            "weight_is_coeff": A("i64", 1),
        },
        fuses_relu=True,
    ),
    row(
        "MatMul",
        "input right bias?",
        {
            "right_transpose": A("bool", False),
            "left_transpose": A("bool", False),
            "output_transpose": A("bool", False),
            "hdim_is_batch": A("bool", False),
            "keep_dims": A("bool", True),
            "dq_type": A("str", "NONE"),
            "is_lora": A("bool", False),
            "q_group_size": A("i64", 0),
        },
        fuses_relu=True,
    ),
    row("Add", "inputs*", {"is_scalar": A("bool", False), "coeff": A("f64[]", None)}, True),
    row("Relu", "input", {"relu_limit": A("f64", -1.0)}),
    row("Reshape", "input", {"shape": A("i64[]", None), "flatten_start_dim": A("i64", -1)}),
    row(
        "AvgPool",
        "input",
        {
            **WINDOW,
            "count_include_pad": A("bool", False),
            "is_adaptive": A("bool", False),
            "keepdims": A("bool", True),
            "pad_value": A("i64", 0),
            "round_mode": A("str", "HalfAwayFromZero"),
            "first_round_mode": A("str", "HalfAwayFromZero"),
        },
        fuses_relu=True,
    ),
]

TOP_OPS = table(_ROWS)
