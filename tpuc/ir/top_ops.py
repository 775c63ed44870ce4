"""Rows of Graph[top]: TPU-MLIR's Top dialect, as release 1.30 prints it."""

from __future__ import annotations

from tpuc.ir.spec import CONV, RELU, WINDOW, A, OpSpec, row, same, table
from tpuc.ir.top_selection_ops import ATTENTION, NORMALIZATION, SELECTION

__all__ = ["TOP_OPS"]

_ROUND = {"round_mode": A("str", "HalfAwayFromZero")}
_SCALAR = {"is_scalar": A("bool", False)}

_INPUT = row(
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
)

_POOL = {
    **WINDOW,
    **_ROUND,
    "auto_pad": A("str", None),
    "ceil_mode": A("bool", None),
    "count_include_pad": A("bool", False),
    "is_adaptive": A("bool", False),
    "keepdims": A("bool", True),
    "pad_value": A("i64", 0),
    "first_round_mode": A("str", "HalfAwayFromZero"),
}

_CONVOLUTIONS = [
    row(
        "Conv",
        "input filter bias?",
        {
            **CONV,
            "auto_pad": A("str", None),
            "dynweight_reorderd": A("bool", False),
            "weight_is_coeff": A("i64", 1),
        },
        fuses_relu=True,
    ),
    row(
        "Deconv",
        "input filter bias?",
        {
            **CONV,
            "output_padding": A("i64[]", None),
            "dynweight_reorderd": A("bool", False),
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
]

_ELEMENTWISE = [
    row("Add", "inputs*", {**_SCALAR, "coeff": A("f64[]", None)}, fuses_relu=True),
    row("Sub", "inputs*", {**_SCALAR, "is_reverse": A("bool", False)}, fuses_relu=True),
    row("Mul", "inputs*", _SCALAR, fuses_relu=True),
    row("Div", "inputs*", {**_SCALAR, "is_reverse": A("bool", False)}, fuses_relu=True),
    row("Max", "inputs*"),
    row("Min", "inputs*"),
    same("AddConst", "input", {**_SCALAR, "const_val": A("f64")}, fuses_relu=True),
    same(
        "SubConst",
        "input",
        {**_SCALAR, "const_val": A("f64"), "is_reverse": A("bool", False)},
        fuses_relu=True,
    ),
    same("MulConst", "input", {**_SCALAR, "const_val": A("f64")}, fuses_relu=True),
    same("MaxConst", "input", {**_SCALAR, "const_val": A("f64")}),
    same("MinConst", "input", {**_SCALAR, "const_val": A("f64")}),
    same("Reciprocal", "input", {"const_val": A("f64", 1.0)}, fuses_relu=True),
    same("Scale", "input scale bias", fuses_relu=True),
    same(
        "BatchNorm",
        "input mean variance gamma beta",
        {"epsilon": A("f64", 1e-5)},
        fuses_relu=True,
    ),
    same("Pow", "input", {"exponent": A("f64")}),
]

_ACTIVATIONS = [
    same("Relu", "input", {"relu_limit": A("f64", -1.0)}),
    same("Clip", "input", {"min": A("f64"), "max": A("f64")}),
    same("LeakyRelu", "input", {**_ROUND, "alpha": A("f64")}),
    same("PRelu", "input slope"),
    same(
        "Sigmoid",
        "input",
        {**_ROUND, "scale": A("f64", 1.0), "bias": A("f64", 0.0), "log": A("bool", False)},
    ),
    same("HardSigmoid", "input", {"alpha": A("f64"), "beta": A("f64")}),
    same("Tanh", "input", _ROUND),
    same("Elu", "input", {"alpha": A("f64")}),
    same("GELU", "input", {**_ROUND, "approx_mode": A("str", "normal")}),
    *map(
        same,
        "HardSwish SiLU Softplus Mish Erf Abs Exp Sqrt Log Softsign Ceil Round Sin Cos".split(),
    ),
    same("Floor", "input", _SCALAR),
    same(
        "Softmax",
        "input",
        {**_ROUND, "axis": A("si32"), "beta": A("f64", 1.0), "log": A("bool", False)},
    ),
]

_REDUCTIONS = [
    row("AvgPool", "input", _POOL, fuses_relu=True),
    row("MaxPool", "input", _POOL, fuses_relu=True),
    row(
        "Reduce",
        "input",
        {**_SCALAR, "axes": A("i64[]"), "keepdims": A("bool"), "mode": A("str")},
    ),
    row(
        "Arg",
        "input",
        {
            "axis": A("i64"),
            "keepdims": A("bool"),
            "mode": A("str"),
            "select_last_index": A("bool", False),
        },
        results=-1,
    ),
]

_MOVEMENT = [
    row("Reshape", "input", {"shape": A("i64[]", None), "flatten_start_dim": A("i64", -1)}),
    row("Flatten", "input", {"start_dim": A("i64", 0), "end_dim": A("i64", -1)}),
    row("Permute", "input", {"order": A("i64[]")}),
    row("Squeeze", "input", {**_SCALAR, "axes": A("i64[]")}),
    row("Unsqueeze", "input", {"axes": A("i64[]")}),
    row(
        "Concat",
        "inputs*",
        {**_ROUND, "axis": A("si32", 1), "only_merge": A("bool", False)},
        fuses_relu=True,
    ),
    row(
        "Split", "input", {"axis": A("si32"), "num": A("i64"), "split_size": A("i64[]")}, results=-1
    ),
    row(
        "Slice",
        "input offset? steps? ends?",
        {
            "axes": A("i64[]", ()),
            "ends": A("i64[]"),
            "hasparamConvert_axes": A("i64[]", ()),
            "offset": A("i64[]"),
            "steps": A("i64[]"),
        },
    ),
    row("Pad", "input", {"mode": A("str"), "paddings": A("i64[]"), "val": A("f64", 0.0)}),
    row("Expand", "input", {"shape": A("i64[]")}),
    row("Tile", "input", {"tile": A("i64[]")}),
    row(
        "Gather",
        "input indices",
        {
            **_SCALAR,
            "axis": A("si32", 0),
            "is_lora": A("bool", False),
            "keepdims": A("bool", True),
        },
    ),
    row("Upsample", "input", {**RELU, "scale_h": A("i64"), "scale_w": A("i64")}),
    row(
        "Interp",
        "input target_shape?",
        {
            "coord_mode": A("str"),
            "mode": A("str"),
            "scale_h": A("f64", -1.0),
            "scale_w": A("f64", -1.0),
        },
    ),
    row(
        "Depth2Space",
        "input",
        {
            "block_h": A("i64"),
            "block_w": A("i64"),
            "in_is_NCHW": A("bool", True),
            "is_CRD": A("bool", False),
            "is_inversed": A("bool", False),
            "out_is_NCHW": A("bool", True),
            "swap_cr": A("bool", False),
        },
    ),
]

_ROWS: list[OpSpec] = [
    _INPUT,
    *_CONVOLUTIONS,
    *_ELEMENTWISE,
    *_ACTIVATIONS,
    *_REDUCTIONS,
    *_MOVEMENT,
    *ATTENTION,
    *NORMALIZATION,
    *SELECTION,
]

TOP_OPS = table(_ROWS)
