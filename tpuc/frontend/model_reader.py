"""Picks the reader of a model file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tpuc.errors import ConfigError, ModelError
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.frontend.torchscript_reader import read_torchscript
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir

__all__ = ["FORMATS", "model_format", "read_model"]

FORMATS = ("auto", "onnx", "torchscript", "mlir")

_SUFFIXES = {
    ".onnx": "onnx",
    ".pt": "torchscript",
    ".pth": "torchscript",
    ".ts": "torchscript",
    ".mlir": "mlir",
}

_UNSET = "Hint: leave it out, or import the ONNX or TorchScript file"


def model_format(path: Path, given: str = "auto") -> str:
    """'onnx', 'torchscript' or 'mlir': as given, else by suffix, else by the first bytes.

    Raises
    ------
    ConfigError : the format is unknown
    ModelError : there is no such file
    """
    if given not in FORMATS:
        raise ConfigError(f"model.format: '{given}'; expected one of {', '.join(FORMATS)}")
    if given != "auto":
        return given
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected a model. Hint: model.path")
    by_suffix = _SUFFIXES.get(path.suffix.lower())
    return by_suffix or ("torchscript" if zipfile.is_zipfile(path) else "onnx")


def read_model(
    path: Path,
    format: str = "auto",
    input_shapes: Mapping[str, Sequence[int]] | Sequence[Sequence[int]] | None = None,
    output_names: Sequence[str] | None = None,
    name: str | None = None,
) -> Graph:
    """Import a model; see `read_onnx`, `read_torchscript` and `ir.text_parse.load_mlir`.

    MLIR is what TPU-MLIR's model_transform or tpuc wrote: its shapes, outputs and preprocessing are
    settled, and its passes have run.

    Raises
    ------
    ModelError : the file can not be read, or asks for an operator that is not supported
    ConfigError : the format is unknown, or shapes or output names do not fit the model
    """
    kind = model_format(path, format)
    if kind == "mlir":
        for key, value in (("input_shapes", input_shapes), ("output_names", output_names)):
            if value:
                raise ConfigError(f"model.{key}: {path} is MLIR, where this is settled. {_UNSET}")
        return load_mlir(path)
    reader = read_onnx if kind == "onnx" else read_torchscript
    return reader(path, input_shapes, output_names, name)
