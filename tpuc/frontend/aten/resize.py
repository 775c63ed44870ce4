"""Interpolation of height and width."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode

__all__ = ["upsample"]


@converts("upsample_nearest2d", "upsample_bilinear2d")
def upsample(context: TorchContext, node: TorchNode) -> None:
    """(input, size or None, [align_corners,] factors)."""
    x = context.value(node)
    linear = "bilinear" in node.kind
    aligned = bool(node.arg(2)) if linear else False
    attrs: dict = {
        "coord_mode": "align_corners" if aligned else "pytorch_half_pixel",
        "mode": "linear" if linear else "nearest",
    }
    if node.arg(1) is not None:
        size = node.ints(1)
        if size == x.shape[2:]:
            context.alias(node, x)
            return
        target = context.weight(f"{node.name}_target_shape", np.array(size, np.float32))
        context.emit(node, "Interp", [x, target], attrs)
        return
    factors = node.arg(3 if linear else 2)
    factors = factors if isinstance(factors, list | tuple) else [node.arg(i) for i in (-2, -1)]
    if len(factors) != 2 or None in factors:
        raise UnsupportedError(f"{node}: has neither a size nor two factors")
    attrs.update(scale_h=float(factors[0]), scale_w=float(factors[1]))
    context.emit(node, "Interp", [x, None], attrs)
