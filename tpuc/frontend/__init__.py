"""Front end: model files to raw Graph[top]."""

from tpuc.frontend.model_reader import model_format, read_model
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.frontend.preprocess import Preprocess, attach_preprocess
from tpuc.frontend.torchscript_reader import read_torchscript

__all__ = [
    "Preprocess",
    "attach_preprocess",
    "model_format",
    "read_model",
    "read_onnx",
    "read_torchscript",
]
