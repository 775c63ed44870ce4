"""Front end: model files to raw Graph[top]."""

from tpuc.frontend.preprocess import Preprocess, attach_preprocess

__all__ = ["Preprocess", "attach_preprocess"]
