"""Every option of TPU-MLIR 1.30's programs and of its manual: what becomes of it in a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

__all__ = ["PROGRAMS", "Option", "Program"]


@dataclass(frozen=True)
class Option:
    """What becomes of an option.

    Parameters
    ----------
    key : str
        Key of the recipe; or '@name' for what `assemble` decides; or empty.
    read : callable (str) -> value
    takes : int
        Arguments: 0 for a flag, 1, or -1 for all up to the next option.
    why : str
        Why it has no key.
    changes : bool
        Without a key: the result differs from TPU-MLIR's.
    """

    key: str = ""
    read: Callable[[str], Any] = str
    takes: int = 1
    why: str = ""
    changes: bool = False


@dataclass(frozen=True)
class Program:
    """A program of TPU-MLIR: its options without dashes, and the key of its positional argument."""

    options: dict[str, Option]
    positional: str = ""


def _words(text: str) -> list[str]:
    return [w.strip() for w in text.replace(";", ",").split(",") if w.strip()]


def _integers(text: str) -> list[int]:
    return [int(w) for w in _words(text)]


def _numbers(text: str) -> list[float]:
    return [float(w) for w in _words(text)]


def _truth(text: str) -> bool:
    return text.strip().lower() in ("true", "1", "yes")


def _flag(key: str) -> Option:
    return Option(key, bool, takes=0)


def _nothing(why: str, takes: int = 1) -> Option:
    """Has no meaning here."""
    return Option(takes=takes, why=why)


def _missing(why: str, takes: int = 1) -> Option:
    """Is not available here, and would change the result."""
    return Option(takes=takes, why=why, changes=True)


_FIXED = "files have fixed names in the run folder"
_COMPARED = "the report compares every layer with float; evaluation.expected_cos sets a goal"
_CACHE = "finished stages are always kept; cache=null turns it off"
_STATIC = "networks are built for the shapes in model.input_shapes"
_CHIP = "concerns the instructions of the chip, not the numbers"
_IO = "inputs and outputs of the network stay float"
_LOG = "concerns TPU-MLIR's own log"

_TRANSFORM = Program(
    {
        "model_name": Option("model.name"),
        "model_def": Option("model.path"),
        "input_shapes": Option("model.input_shapes", yaml.safe_load),
        "output_names": Option("model.output_names", _words),
        "resize_dims": Option("model.preprocess.resize_dims", _integers),
        "keep_aspect_ratio": _flag("model.preprocess.keep_aspect_ratio"),
        "keep_ratio_mode": Option("model.preprocess.keep_ratio_mode"),
        "mean": Option("model.preprocess.mean", _numbers),
        "scale": Option("model.preprocess.scale", _numbers),
        "pixel_format": Option("model.preprocess.pixel_format"),
        "channel_format": Option("@channel_format"),
        "pad_value": Option("model.preprocess.pad_value", int),
        "pad_type": Option("model.preprocess.pad_type"),
        "add_postprocess": Option("model.add_postprocess"),
        "mlir": Option("@mlir"),
        "model_extern": _missing("one model file makes a network"),
        "model_data": _missing("Caffe models are not read; convert to ONNX first"),
        "input_types": _nothing("types are those of the model file"),
        "test_input": _nothing(_COMPARED),
        "test_result": _nothing("tpuc-tool run FILE.bmodel --all writes every tensor"),
        "tolerance": _nothing(_COMPARED),
        "excepts": _nothing(_COMPARED),
        "cache_skip": _nothing(_CACHE, 0),
        "not_inference": _nothing(_COMPARED, 0),
        "debug": _nothing("run folders keep what can be looked at", 0),
        "log_level": _nothing(_LOG),
        "debug_cmd": _nothing("a debugging aid of TPU-MLIR"),
        "patterns_count": _nothing("a check of TPU-MLIR's own tests"),
        "onnx_sim": _nothing("constants are always folded"),
        "do_onnx_sim": _nothing("constants are always folded"),
        "dynamic": _missing(_STATIC, 0),
        "dynamic_shape_input_names": _missing(_STATIC),
        "shape_influencing_input_names": _missing(_STATIC),
        "op_custom_shape": _missing(_STATIC),
        "pruning": _missing("pruned weights are not packed"),
        "path_yaml": _missing("TPU-MLIR's MaskRCNN is not supported"),
        "enable_maskrcnn": _missing("TPU-MLIR's MaskRCNN is not supported", 0),
        "replace_topk_indices": _missing("TopK gives its own indices"),
        "yuv_type": _missing("pictures are decoded to bgr, rgb, gray or rgba"),
        "preprocess_list": _missing("every input that can hold a picture is preprocessed"),
        "use_rewriter_config": _missing("passes are fixed", 0),
        "struct_optimize": _missing("passes are fixed"),
    }
)

_SAMPLES = {
    "dataset": Option("dataset.path"),
    "data_list": Option("dataset.list"),
    "input_num": Option("calibration.input_num", int),
    "inference_num": Option("search.inference_num", int),
    "tune_list": Option("calibration.tune_list"),
    "tune_num": Option("calibration.tune_num", int),
    "histogram_bin_num": Option("calibration.histogram_bins", int),
    "expected_cos": Option("search.expected_cos", float),
    "max_float_layers": Option("search.max_float_layers", int),
    "chip": Option("@processor"),
    "processor": Option("@processor"),
    "fp_type": Option("search.fp_type"),
    "post_process": Option("search.post_process"),
    "global_compare_layers": Option("search.global_compare_layers"),
    "debug_cmd": Option("@debug_cmd"),
    "debug_log": _nothing(_LOG, 0),
}

_CALIBRATION = Program(
    {
        **_SAMPLES,
        "sq": _flag("correction.smoothquant"),
        "we": _flag("correction.weight_equalization"),
        "bc": _flag("correction.bias_correction"),
        "smc": _flag("correction.softmax_correction"),
        "bc_inference_num": Option("correction.bc_inference_num", int),
        "min_layer_cos": Option("correction.min_layer_cos", float),
        "cali_method": Option("@calibration"),
        "search": Option("@search"),
        "transformer": Option("search.transformer", _truth),
        "quantize_method_list": Option("search.quantize_methods", _words),
        "benchmark_method": Option("search.benchmark_method"),
        "kurtosis_analysis": _flag("calibration.kurtosis"),
        "part_quantize": Option("quantize.part_quantize"),
        "custom_operator": Option("quantize.custom_operators", _words),
        "part_asymmetric": _flag("quantize.part_asymmetric"),
        "mix_mode": Option("search.mix_mode"),
        "q_group_size": Option("quantize.q_group_size", int),
        "pre_qtable": Option("search.pre_qtable"),
        "cluster": _flag("search.cluster"),
        "calibration_table": Option("@made_table"),
        "o": Option("@made_table"),
        "quantize_table": Option("@made_qtable"),
    },
    "@model",
)

_SENSITIVE = Program(
    {
        **_SAMPLES,
        "calibration_table": Option("@table"),
        "o": Option("@made_qtable"),
        "quantize_table": Option("@made_qtable"),
    },
    "@model",
)

_FORWARD = Program(
    {
        "fpfwd_inputs": Option("search.fpfwd_inputs", _words),
        "fpfwd_outputs": Option("search.fpfwd_outputs", _words),
        "fpfwd_blocks": Option("search.fpfwd_blocks", str.split, takes=-1),
        "chip": Option("@processor"),
        "processor": Option("@processor"),
        "fp_type": Option("search.fp_type"),
        "quantize": _nothing("the tables say which ops are float"),
        "o": Option("@made_qtable"),
        "quantize_free_table": Option("@made_qtable"),
    },
    "@model",
)

_DEPLOY = Program(
    {
        "mlir": Option("@model"),
        "chip": Option("@processor"),
        "processor": Option("@processor"),
        "quantize": Option("@quantize"),
        "model": _nothing(_FIXED),
        "calibration_table": Option("@table"),
        "quantize_table": Option("@qtable"),
        "asymmetric": _flag("quantize.asymmetric"),
        "q_group_size": Option("quantize.q_group_size", int),
        "q_symmetric": _flag("quantize.q_symmetric"),
        **{n: _missing(_IO, 0) for n in ("quant_input", "quant_output", "quant_output_bf16")},
        **{n: _missing(_IO, 0) for n in ("quant_input_int8", "quant_output_int8")},
        **{n: _missing(_IO) for n in ("quant_input_list", "quant_output_list")},
        "high_precision": _missing("say which ops are float: quantize.table", 0),
        "ignore_f16_overflow": _missing("say which ops are F32: quantize.table", 0),
        "matmul_perchannel": _missing("MatMul has one scale", 0),
        "gelu_mode": _missing("GELU is exact"),
        "do_winograd": _missing("convolutions are exact", 0),
        "fuse_preprocess": _missing("pictures are preprocessed outside the bmodel", 0),
        "customization_format": _missing("pictures are preprocessed outside the bmodel"),
        "aligned_input": _missing("pictures are preprocessed outside the bmodel", 0),
        "dynamic": _missing(_STATIC, 0),
        "num_device": _missing("a bmodel is for one device"),
        **{n: _nothing(_COMPARED) for n in ("test_input", "test_reference", "tolerance")},
        **{n: _nothing(_COMPARED) for n in ("correctness", "excepts", "gen_test_seed")},
        **{n: _nothing(_COMPARED, 0) for n in ("compare_all", "gen_test_input", "fazzy_match")},
        "skip_validation": _nothing(_COMPARED, 0),
        "cache_skip": _nothing(_CACHE, 0),
        **{n: _nothing(_LOG) for n in ("log_level", "patterns_count")},
        **{n: _nothing("runs on this machine's processor") for n in ("ip", "pwd")},
        "cuda": _nothing("runs on this machine's processor", 0),
        "debug": _nothing("run folders keep what can be looked at", 0),
        "debug_cmd": _nothing("a debugging aid of TPU-MLIR"),
        "not_gen_bmodel": Option("@no_bmodel", takes=0),
        **{
            n: _nothing(_CHIP)
            for n in (
                "num_core", "group_by_cores", "opt", "layer_group_config", "addr_mode",
                "shape_secs_search_strategy", "same_addr", "save_io_alone_config",
                "use_io_alone_config", "lghash_dir", "lg_debugger", "model_version", "iomem_set",
                "compress_mode", "time_fixed_subnet", "subnet_params", "global_op_types",
            )
        },
        **{
            n: _nothing(_CHIP, 0)
            for n in (
                "disable_structure_detect_opt", "use_rewriter_config", "disable_topo_sort",
                "enable_lghash", "rvti", "disable_affine", "disable_layer_group",
                "disable_gdma_check", "op_divide", "merge_weight", "includeWeight",
                "opt_post_processor", "weight_deduplicate", "io_alone", "enable_maskrcnn",
            )
        },
        "trunc_final": _nothing("a debugging aid of TPU-MLIR", -1),
    }
)  # fmt: skip

PROGRAMS = {
    "model_transform": _TRANSFORM,
    "run_calibration": _CALIBRATION,
    "run_sensitive_layer": _SENSITIVE,
    "run_qtable": _SENSITIVE,
    "fp_forward": _FORWARD,
    "model_deploy": _DEPLOY,
}
"""By name, without '.py'; run_qtable is what old releases called run_sensitive_layer."""
