"""What a rule is, and what several of them ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import LANE_BYTES, Local, Shape
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote
from tpuc.backends.bm1684x.tiling import Axis, Band, Window, axes_of
from tpuc.ir import DType, Node, Value

__all__ = [
    "BYTES",
    "KEPT",
    "InBands",
    "Rule",
    "Step",
    "rows_of_window",
    "near",
    "no_room",
    "same_rows",
    "shape_of",
    "why_not_bytes",
    "why_not_floats",
    "why_not_window",
    "window_of",
]

BYTES = (DType.SI8, DType.UI8)
# May stay in local memory between ops.
KEPT = (*BYTES, DType.F32, DType.F16, DType.BF16, DType.SI32)
_MOST = 15  # strides, pads and dilations - 1 have 4 bits


@dataclass(frozen=True)
class Step:
    """An op whose coefficients lie in local memory.

    Parameters
    ----------
    run : function of operands and band
        Makes rows of the result from the rows of the operands that it reads.
    takes_far : bool
        Whether the only operand has to lie in global memory: `run` gets its first row there.
    """

    run: Callable[[Sequence[Local | Remote], Band], Local]
    takes_far: bool = False


@dataclass(frozen=True)
class InBands:
    """How an op of one sample works on some rows at a time.

    Parameters
    ----------
    start : function of emitter, op, and whether its first operand lies in global memory
        Loads coefficients, once for all bands.
    axis : function of the op
        Which rows a row of the result reads.
    """

    start: Callable[[Emitter, Node, bool], Step]
    axis: Callable[[Node], Axis]


@dataclass(frozen=True)
class Rule:
    """Selection of one op.

    `emit` takes operands from global memory, in parts. `whole`, for one sample, takes them where
    they are, all at once, and leaves the result in local memory if its last argument is true.
    `in_bands` is for ops that work beside others on the rows at hand.
    Operands with an index in `far` are taken from global memory in any case.
    """

    covers: Callable[[Node], str | None]
    emit: Callable[[Emitter, Node], None]
    whole: Callable[[Emitter, Node, bool], None] | None = None
    in_bands: InBands | None = None
    far: tuple[int, ...] = ()


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


def why_not_floats(node: Node, mixed: bool = False) -> str | None:
    """Why an op is not of one float type; `mixed`: or makes bytes, halves, float32 of such."""
    if mixed and node.output.dtype in (*BYTES, DType.F16, DType.F32):
        kinds = {v.dtype for v in node.activations}
        if kinds in ({DType.F16}, {DType.F32}):
            return None
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


def rows_of_window(node: Node) -> Axis:
    """Rows of a window op."""
    before, after = shape_of(node.activations[0]), shape_of(node.output)
    return axes_of(window_of(node), before[2:], after[2:])[0]


def same_rows(node: Node) -> Axis:
    """Rows of an op whose results depend on the numbers at the same place."""
    rows = shape_of(node.output)[2]
    return Axis(rows, rows, 1, 1, 1, 0)


def near(operands: Sequence[Local | Remote]) -> list[Local]:
    """Operands that have to lie in local memory."""
    assert all(isinstance(x, Local) for x in operands)
    return [x for x in operands if isinstance(x, Local)]


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
