"""What a rule is, and what several of them ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import LANE_BYTES, Shape
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom
from tpuc.backends.bm1684x.tiling import Window
from tpuc.ir import DType, Node, Value

__all__ = [
    "BYTES",
    "KEPT",
    "Rule",
    "no_room",
    "shape_of",
    "why_not_bytes",
    "why_not_floats",
    "why_not_window",
    "window_of",
]

BYTES = (DType.SI8, DType.UI8)
KEPT = (*BYTES, DType.F32, DType.F16, DType.BF16)  # may stay in local memory between ops
_MOST = 15  # strides, pads and dilations - 1 have 4 bits


@dataclass(frozen=True)
class Rule:
    """Selection of one op.

    `emit` takes operands from global memory, in parts. `whole`, for one sample, takes them where
    they are, all at once, and leaves the result in local memory if its last argument is true.
    """

    covers: Callable[[Node], str | None]
    emit: Callable[[Emitter, Node], None]
    whole: Callable[[Emitter, Node, bool], None] | None = None


def shape_of(value: Value) -> Shape:
    """(N, C, H, W) of a tensor of rank 1 to 4; a (N, C, L) is (N, C, 1, L)."""
    shape = value.shape
    if len(shape) == 3:
        return shape[0], shape[1], 1, shape[2]
    n, c, h, w = (*shape, *(1,) * (4 - len(shape)))
    return n, c, h, w


def why_not_bytes(node: Node) -> str | None:
    """Why an op is not 8-bit and symmetric."""
    for value in (*node.activations, *node.outputs):
        if value.dtype not in BYTES:
            return f"tensor '{value.name}' is {value.dtype}"
        if value.quant is not None and value.quant.zero_point:
            return f"tensor '{value.name}' has zero point {value.quant.zero_point}"
    return None


def why_not_floats(node: Node) -> str | None:
    """Why an op is not of one float type."""
    for value in (*node.activations, *node.outputs):
        if not value.dtype.is_float:
            return f"tensor '{value.name}' is {value.dtype}"
        if value.dtype != node.output.dtype:
            return f"makes {node.output.dtype} of {value.dtype}"
    return None


def no_room(e: Emitter, node: Node, need: int) -> NoRoom:
    """What to raise when not even the smallest part of an op fits."""
    return NoRoom(
        f"{node}: one pixel of 64 channels needs {need} bytes of each lane; expected at most "
        f"{e.room} of {LANE_BYTES}. Hint: a smaller kernel or fewer input channels"
    )


def window_of(node: Node) -> Window:
    """Kernel, strides, dilations and pads; one dimension is written for two."""
    flat = len(node.activations[0].shape) == 3
    kernel, strides = node.ints("kernel_shape"), node.ints("strides")
    dilations = node.ints("dilations", (1,) * len(kernel))
    pads = node.ints("pads", (0,) * 2 * len(kernel))
    if flat:
        kernel, strides, dilations = (1, *kernel), (1, *strides), (1, *dilations)
        pads = (0, pads[0], 0, pads[1])
    (kh, kw), (sh, sw), (dh, dw), (top, left, bottom, right) = kernel, strides, dilations, pads
    return Window((kh, kw), (sh, sw), (dh, dw), (top, left, bottom, right))


def why_not_window(node: Node) -> str | None:
    """Why a window op has no command: what 4 bits can not say."""
    if len(node.activations[0].shape) not in (3, 4):
        return f"its input has shape {list(node.activations[0].shape)}"
    window = window_of(node)
    for name, numbers in (
        ("strides", window.strides),
        ("pads", window.pads),
        ("dilations", tuple(d - 1 for d in window.dilations)),
    ):
        if max(numbers) > _MOST:
            return f"{name} {list(node.ints(name))} do not fit 4 bits"
    return None
