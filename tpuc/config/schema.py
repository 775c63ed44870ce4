"""Every key there is, with its type and default. Hydra composes these; below the command line they
travel as a `Job`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tpuc.config.evaluation_schema import EvaluationConfig

__all__ = [
    "BackendConfig",
    "CalibrationConfig",
    "DatasetConfig",
    "EvaluationConfig",
    "Job",
    "Mode",
    "ModelConfig",
    "PreprocessConfig",
    "QuantizeConfig",
    "ReportConfig",
    "SearchConfig",
]


class ModelFormat(Enum):
    """Kind of model file."""

    auto = "auto"
    onnx = "onnx"
    torchscript = "torchscript"
    mlir = "mlir"


class RatioMode(Enum):
    """How the aspect ratio is kept."""

    letterbox = "letterbox"
    short_side_scale = "short_side_scale"


class PadType(Enum):
    """Where a letterboxed picture sits."""

    center = "center"
    normal = "normal"


class PixelFormat(Enum):
    """Order of a picture's channels."""

    bgr = "bgr"
    rgb = "rgb"
    gray = "gray"
    rgba = "rgba"


class ChannelFormat(Enum):
    """Layout of the input tensor."""

    nchw = "nchw"
    nhwc = "nhwc"


class Method(Enum):
    """Threshold method."""

    kl = "kl"
    mse = "mse"
    max = "max"
    percentile9999 = "percentile9999"
    aciq_gauss = "aciq_gauss"
    aciq_laplace = "aciq_laplace"
    torch_observer = "torch_observer"
    from_file = "from_file"


class Mode(Enum):
    """Type of the build."""

    F32 = "F32"
    F16 = "F16"
    BF16 = "BF16"
    INT8 = "INT8"
    INT4 = "INT4"
    W8F16 = "W8F16"
    W8BF16 = "W8BF16"
    W4F16 = "W4F16"
    W4BF16 = "W4BF16"
    F8E4M3 = "F8E4M3"
    F8E5M2 = "F8E5M2"


class SearchMethod(Enum):
    """How thresholds and types are searched."""

    none = "none"
    threshold = "threshold"
    qtable = "qtable"
    sensitive_layer = "sensitive_layer"
    fp_forward = "fp_forward"
    pareto = "pareto"


class FpType(Enum):
    """Float type of the ops that a search takes out of the integers."""

    auto = "auto"
    F16 = "F16"
    BF16 = "BF16"
    F32 = "F32"


class Benchmark(Enum):
    """Similarity that search=threshold compares tables by."""

    cos = "cos"
    snr = "snr"


class SearchCost(Enum):
    """What search=pareto counts as the cost of a mix."""

    roofline = "roofline"
    instructions = "instructions"


class SearchObjective(Enum):
    """What a search makes large."""

    cos = "cos"
    accuracy = "accuracy"


class BackendName(Enum):
    """What is written at the end."""

    bmodel = "bmodel"
    tpu_mlir = "tpu_mlir"
    none = "none"


class Postprocess(Enum):
    """Whose boxes are decoded and suppressed inside the network."""

    yolov5 = "yolov5"
    yolov7 = "yolov7"
    yolov8 = "yolov8"
    yolov11 = "yolov11"


@dataclass
class PreprocessConfig:
    """How pictures become input tensors (the options of `model_transform`)."""

    resize_dims: list[int] | None = None
    keep_aspect_ratio: bool = False
    keep_ratio_mode: RatioMode = RatioMode.letterbox
    pad_value: int = 0
    pad_type: PadType = PadType.center
    mean: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    scale: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0])
    pixel_format: PixelFormat = PixelFormat.bgr
    channel_format: ChannelFormat = ChannelFormat.nchw


@dataclass
class ModelConfig:
    """The trained network."""

    name: str | None = None
    path: str | None = None
    format: ModelFormat = ModelFormat.auto
    input_shapes: list[list[int]] | None = None
    output_names: list[str] | None = None
    add_postprocess: Postprocess | None = None
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)


@dataclass
class DatasetConfig:
    """Samples: a folder (or one file), or a text file with a sample on each line."""

    path: str | None = None
    list: str | None = None


@dataclass
class CalibrationConfig:
    """How thresholds are found."""

    method: Method = Method.kl
    input_num: int = 100
    histogram_bins: int = 2048
    tune_num: int = 5
    tune_list: str | None = None
    table: str | None = None
    kurtosis: bool = False


@dataclass
class CorrectionConfig:
    """Rewrites of weights and biases that quantization loses less of."""

    auto: bool = False
    auto_num: int = 20
    smoothquant: bool = False
    weight_equalization: bool = False
    softmax_correction: bool = False
    bias_correction: bool = False
    bc_inference_num: int = 30
    min_layer_cos: float = 0.99
    adaround: bool = False
    adaround_num: int = 50


@dataclass
class SearchConfig:
    """Thresholds and types found by trying (the manual's search options)."""

    method: SearchMethod = SearchMethod.none
    inference_num: int = 30
    expected_cos: float = 0.99
    max_float_layers: int = 5
    quantize_methods: list[str] = field(default_factory=lambda: ["mse"])
    fp_type: FpType = FpType.auto
    mix_mode: str = "8_16"
    transformer: bool = False
    screen_types: bool = True
    cluster: bool = False
    benchmark_method: Benchmark = Benchmark.cos
    global_compare_layers: str | None = None
    post_process: str | None = None
    pre_qtable: str | None = None
    fpfwd_inputs: list[str] | None = None
    fpfwd_outputs: list[str] | None = None
    fpfwd_blocks: list[str] | None = None
    objective: SearchObjective = SearchObjective.cos
    cost: SearchCost = SearchCost.roofline
    budget: float | None = None
    max_seconds: float | None = None
    max_trials: int | None = None


@dataclass
class QuantizeConfig:
    """Types of the build."""

    mode: Mode = Mode.INT8
    asymmetric: bool = False
    part_asymmetric: bool = False
    table: str | None = None
    pattern_match: bool = True
    part_quantize: str | None = None
    custom_operators: list[str] | None = None
    q_group_size: int = 64
    q_symmetric: bool = False


@dataclass
class BackendConfig:
    """What is written at the end; `python` and `samples` concern tpu_mlir."""

    name: BackendName = BackendName.bmodel
    python: str | None = None
    samples: int = 2


@dataclass
class ReportConfig:
    """What the report holds."""

    html: bool = True
    histograms: bool = True
    values: int = 200


@dataclass
class Job:
    """One build."""

    recipe: str = ""
    model: ModelConfig = field(default_factory=ModelConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    correction: CorrectionConfig = field(default_factory=CorrectionConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    processor: dict[str, Any] = field(default_factory=dict)
    quantize: QuantizeConfig = field(default_factory=QuantizeConfig)
    backend: BackendConfig = field(default_factory=BackendConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    threads: int = 0
    seed: int = 0  # of the pixels that adaround learns from; recorded in the manifest
    cache: str | None = None
    stop_after: str | None = None
