"""Every key there is, with its type and default. Hydra composes these; below the command line they
travel as a `Job`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = [
    "BackendConfig",
    "CalibrationConfig",
    "DatasetConfig",
    "EvaluationConfig",
    "Job",
    "ModelConfig",
    "PreprocessConfig",
    "QuantizeConfig",
    "ReportConfig",
]


class ModelFormat(Enum):
    """Kind of model file."""

    auto = "auto"
    onnx = "onnx"
    torchscript = "torchscript"


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


class BackendName(Enum):
    """What is written at the end."""

    bmodel = "bmodel"
    none = "none"


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
class QuantizeConfig:
    """Types of the build."""

    mode: Mode = Mode.INT8
    table: str | None = None


@dataclass
class BackendConfig:
    """What is written at the end."""

    name: BackendName = BackendName.bmodel


@dataclass
class EvaluationConfig:
    """Samples on which the lowered network is held against the float one."""

    path: str | None = None
    input_num: int = 20
    expected_cos: float | None = None


@dataclass
class ReportConfig:
    """What the report holds."""

    html: bool = True
    histograms: bool = True


@dataclass
class Job:
    """One build."""

    recipe: str = ""
    model: ModelConfig = field(default_factory=ModelConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    processor: dict[str, Any] = field(default_factory=dict)
    quantize: QuantizeConfig = field(default_factory=QuantizeConfig)
    backend: BackendConfig = field(default_factory=BackendConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    threads: int = 0
    seed: int = 0
    cache: str | None = None
    stop_after: str | None = None
