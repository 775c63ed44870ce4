"""Rows of Graph[tpu]: lowered ops, under the names of TPU-MLIR's Tpu dialect.

An op is integer when its output is; multipliers and shifts are absent in float ops. The arithmetic
is defined by `kernels/reference`.
"""

from __future__ import annotations

from tpuc.ir.spec import CONV, RELU, WINDOW, A, OpSpec, row, same, table
from tpuc.ir.top_ops import TOP_OPS

__all__ = ["TPU_OPS"]

_REQUANT = {
    "multiplier": A("i64[]", None),  # one per output channel
    "rshift": A("i64[]", None),
    "quant_mode": A("str", "MultiplierShift"),
    "round_mode": A("str", "HalfUp"),
}
_FLOAT8 = {"out_f8_scales": A("f64[]", None)}  # what F8E4M3 results are multiplied by
_FLOAT8_EACH = {"f8_scales": A("f64[]", None)}  # what F8E4M3 operands are multiplied by
_ONE = {"multiplier": A("si32", None), "rshift": A("si32", None)}
_EACH = {"multipliers": A("i64[]", None), "rshifts": A("i64[]", None)}  # one per operand


def _as_top(name: str, **extra: A) -> OpSpec:
    top = TOP_OPS[name]
    return row(name, " ".join(top.operands), {**top.attrs, **extra}, False, top.results)


_ROWS: list[OpSpec] = [
    TOP_OPS["Input"],
    same(
        "Cast",
        "input",
        {"round_mode": A("str", "HalfAwayFromZero"), "through": A("str", "")},
    ),
    row(
        "Conv2D",
        "input filter bias?",
        {**CONV, **_REQUANT, **_FLOAT8},
        fuses_relu=True,
    ),
    row(
        "Deconv",
        "input filter bias?",
        {
            **CONV,
            "output_padding": A("i64[]", None),
        },
        fuses_relu=True,
    ),
    same(
        "RequantIntAxis",
        "input quant",
        {
            **RELU,
            "quant_mode": A("str", "MultiplierShift"),
            "round_mode": A("str", "HalfAwayFromZero"),
        },
    ),
    row(
        "MatMul",
        "input right bias?",
        {
            **_EACH,
            **_FLOAT8,
            "hdim_is_batch": A("bool", False),
            "left_transpose": A("bool", False),
            "right_transpose": A("bool", False),
            "quant_mode": A("str", "MultiplierShift"),
            "round_mode": A("str", "HalfAwayFromZero"),
        },
        fuses_relu=True,
    ),
    row(
        "A16MatMul",
        "input weight scale zp bias?",
        {
            "weight_bits": A("i64"),
            "q_group_size": A("i64"),
            "w_transpose": A("bool", True),
        },
    ),
    row("Add", "inputs*", {**_EACH, **_FLOAT8_EACH}, fuses_relu=True),
    row(
        "Sub", "inputs*", {**_EACH, **_FLOAT8_EACH, "is_reverse": A("bool", False)}, fuses_relu=True
    ),
    row(
        "Mul",
        "inputs*",
        {**_ONE, **_FLOAT8, "quant_mode": A("str", "MultiplierShift")},
        fuses_relu=True,
    ),
    same("MulShift", "input", _ONE, fuses_relu=True),
    same("AddConst", "input", {**_ONE, **_FLOAT8_EACH, "const_val": A("f64")}, fuses_relu=True),
    same(
        "SubConst",
        "input",
        {**_ONE, **_FLOAT8_EACH, "const_val": A("f64"), "is_reverse": A("bool", False)},
        fuses_relu=True,
    ),
    same("MulConst", "input", {"const_val": A("f64")}, fuses_relu=True),
    same("MaxConst", "input", {"const_val": A("f64")}),
    same("MinConst", "input", {"const_val": A("f64")}),
    same("Reciprocal", "input", {"const_val": A("f64", 1.0)}, fuses_relu=True),
    row("Div", "inputs*", {"is_reverse": A("bool", False)}, fuses_relu=True),
    row("Max", "inputs*", _EACH),
    row("Min", "inputs*", _EACH),
    same("Scale", "input scale bias lshift?", fuses_relu=True),
    row(
        "Pool2D",
        "input",
        {
            **WINDOW,
            **_ONE,
            **_FLOAT8,
            "scale": A("f64", None),
            "offset": A("f64", None),
            "pool_mode": A("str"),
            "count_include_pad": A("bool", False),
            "keepdims": A("bool", True),
            "round_mode": A("str", "HalfAwayFromZero"),  # of a sum without its padding
        },
        fuses_relu=True,
    ),
    same("Lut", "input table"),
    same(
        "LutBF16",
        "input table mantissa",
        {"lut_mode": A("str"), "min_range": A("f64", 0.0), "max_range": A("f64", 0.0)},
    ),
    same("Active", "input", {"mode": A("str"), "coeffs": A("f64[]", ())}),
    same("Relu", "input", {"relu_limit": A("f64", -1.0)}),
    same(
        "LeakyRelu",
        "input",
        {
            **_ONE,
            "multiplier_neg": A("si32", None),
            "rshift_neg": A("si32", None),
            "alpha": A("f64", None),
        },
    ),
    same(
        "PRelu",
        "input slope",
        {
            "rshift": A("si32", None),
            "multiplier_pos": A("si32", None),
            "rshift_pos": A("si32", None),
        },
    ),
    same("Clip", "input", {"min": A("f64"), "max": A("f64")}),
    same("Pow", "input", {"exponent": A("f64")}),
    same(
        "Softmax",
        "input table? slope? power? mantissa?",
        {"axis": A("si32"), "beta": A("f64", 1.0), "log": A("bool", False)},
    ),
    row("Concat", "inputs*", {**_EACH, "axis": A("si32", 1)}, fuses_relu=True),
    row("Pad", "input", {"mode": A("str"), "paddings": A("i64[]"), "val": A("f64", 0.0)}),
    *[
        _as_top(name)
        for name in (
            "Reshape Permute Squeeze Unsqueeze Slice Tile Gather Upsample Interp Depth2Space "
            "Arg SwapDimInner Rope RMSNorm InstanceNorm GroupNorm Compare CompareConst "
            "Where Mod CumSum GatherElements GatherND ScatterND ScatterElements TopK GridSampler "
            "RoiAlign Nms YoloDetection"
        ).split()
    ],
    same("RequantFp", "input", {"scale": A("f64"), "offset": A("f64", 0.0)}),
    _as_top("Reduce", **_ONE),
    row("LayerNorm", "input weight? bias? table? mantissa?", TOP_OPS["LayerNorm"].attrs),
    same("RequantInt", "input", {**_ONE, "round_mode": A("str", "HalfAwayFromZero")}),
    same(
        "Attention",
        "input keys? values? queries_weight queries_bias? keys_weight keys_bias? "
        "values_weight values_bias? out_weight out_bias? mask? table?",
        {
            "dim": A("i64"),
            "has_bias": A("i64"),
            "head": A("i64"),
            "quant_param": A("i64[]", None),
            "scale": A("f64"),
        },
    ),
]

TPU_OPS = table(_ROWS)
