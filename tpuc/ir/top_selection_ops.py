"""Rows of Graph[top]: attention, normalization, comparison, indexing and sampling."""

from __future__ import annotations

from tpuc.ir.spec import A, OpSpec, row, same

__all__ = ["ATTENTION", "NORMALIZATION", "SELECTION"]

_ROUND = {"round_mode": A("str", "HalfAwayFromZero")}

ATTENTION: list[OpSpec] = [
    same(
        "Attention",
        "input queries_weight queries_bias? keys_weight keys_bias? values_weight values_bias? "
        "out_weight out_bias? mask?",
        {
            "dim": A("i64"),
            "do_relu": A("bool", False),
            "head": A("i64"),
            "mask_reader": A("str", ""),  # the sum of scores and mask
            "scale": A("f64"),
            "scale_names": A("str[]"),  # q, k, v, products, scaled, softmax, mixed
        },
    ),
]

_ROPE = {
    f"{step}_{what}": attr
    for step in ("mul1", "mul2", "add")
    for what, attr in (
        ("round_mode", A("str", "HalfAwayFromZero")),
        ("saturation", A("bool", True)),
        ("shift", A("si32", 0)),
    )
}
ATTENTION.append(
    same(
        "Rope",
        "input sin cos",
        {
            **_ROPE,
            "force_f32": A("bool", False),
            "is_permute_optimize": A("bool", False),
            "rope_mode": A("str", "interleaved_pairs"),
        },
    )
)

NORMALIZATION: list[OpSpec] = [
    same(
        "LayerNorm",
        "input weight? bias?",
        {"axis": A("si32"), "eps": A("f64"), "normalized_shape": A("i64[]")},
    ),
    same("RMSNorm", "input gamma?", {"eps": A("f64"), "weight_keep_f32": A("bool", False)}),
    same("InstanceNorm", "input weight? bias?", {"eps": A("f64")}),
    same("GroupNorm", "input weight? bias?", {"eps": A("f64"), "num_groups": A("i64")}),
]

SELECTION: list[OpSpec] = [
    same("Sign", "input"),
    same("SwapDimInner", "input", {"offset": A("i64[]")}),
    same("Cast", "input", {**_ROUND, "to": A("str", "F32")}),
    row("Compare", "lhs rhs", {"mode": A("str")}),
    same(
        "CompareConst",
        "input",
        {
            "const_val": A("f64"),
            "inversed": A("bool", False),
            "is_scalar": A("bool", False),
            "mode": A("str"),
        },
    ),
    row(
        "Where",
        "cond tbrn? fbrn?",
        {
            "x_const_val": A("f64", 0.0),
            "x_is_const": A("bool", False),
            "y_const_val": A("f64", 0.0),
            "y_is_const": A("bool", False),
        },
    ),
    row("Mod", "inputs*"),
    same("CumSum", "input dim", {"axis": A("i64")}),
    row("GatherElements", "input indices", {"axis": A("i64", 2)}),
    row("GatherND", "input indices", {"batch_dims": A("i64", 0)}),
    same("ScatterND", "input indices updates", {"reduction": A("i32", 0)}),
    same("ScatterElements", "input indices updates", {"axis": A("i64"), "reduction": A("i64", 0)}),
    row(
        "TopK",
        "input",
        {
            "K": A("i64", -1),
            "axis": A("i64"),
            "largest": A("bool", True),
            "replace_topk_indices": A("bool", False),
            "sorted": A("bool", True),
            "use_hau": A("bool", True),
        },
        results=-1,
    ),
    row(
        "GridSampler",
        "input grid",
        {"align_corners": A("bool"), "mode": A("i64"), "padding_mode": A("i64")},
    ),
    row(
        "RoiAlign",
        "input rois",
        {
            "align_corners": A("bool"),
            "mode": A("str"),
            "output_height": A("i64"),
            "output_width": A("i64"),
            "sampling_ratio": A("i64"),
            "spatial_scale": A("f64"),
        },
    ),
    row("Nms", "inputs*", {"center_point_box": A("i64"), "max_output_size": A("i64")}),
    row(
        "YoloDetection",
        "inputs*",
        {
            "agnostic_nms": A("bool", False),
            "anchors": A("f64[]"),
            "class_num": A("i64", 80),
            "keep_topk": A("i64"),
            "net_input_h": A("i64"),
            "net_input_w": A("i64"),
            "nms_threshold": A("f64"),
            "num_boxes": A("i64", 3),
            "obj_threshold": A("f64"),
            "version": A("str", "yolov3"),
        },
    ),
]
