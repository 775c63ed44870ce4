"""Interp on processors that requantize in two steps: a product where it can be, else the host's.

    linear, half pixels, s times larger   the picture with its border repeated once, then a Deconv
        by channel with steps of s and 2 s weights an axis: parts of the two nearest pixels
    linear, half pixels, half as large    a Conv by channel with four weights of 1/4
    nearest                               the integers of the input in the type of the result
    any other                             float32

A Deconv is TPU-MLIR's Conv of a picture with s - 1 zeros between pixels. Integers taken over by a
type with another scale stand for other numbers, as there. Source: TPU-MLIR's lowering for CV18xx.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, DType, Node, Value, with_defaults
from tpuc.lowering.context import AsF32, Lowering
from tpuc.lowering.rules.qdm import lower_conv, lower_deconv
from tpuc.numerics.rounding import round_bf16

__all__ = ["QDM_RESIZING", "lower_float_interp"]

_EDGE = (0, 0, 1, 1, 0, 0, 1, 1)
_KEYS = ("coord_mode", "mode", "scale_h", "scale_w")


def lower_interp(ctx: Lowering, node: Node) -> str | None:
    """Interp of N C H W in integers."""
    source = node.inputs[0]
    assert source is not None
    if node.text("mode") == "nearest":
        kept = {k: node.attrs[k] for k in _KEYS}
        ctx.emit_int(node, "Interp", [ctx.as_int(source, node.name)], kept)
        return None
    product = _as_product(node, source)
    if product is None:
        return AsF32("it is linear, and neither half as large nor larger by whole numbers")
    if product.op == "Deconv":
        product.inputs = (_with_border(ctx, source, ctx.as_int(source, node.name)),
                          *product.inputs[1:])  # fmt: skip
    return lower_conv(ctx, product) if product.op == "Conv" else lower_deconv(ctx, product)


def lower_float_interp(ctx: Lowering, node: Node) -> bool:
    """The same in BF16; what is no product is float32, but for nearest pixels."""
    source = node.inputs[0]
    assert source is not None
    product = None if node.text("mode") == "nearest" else _as_product(node, source)
    if product is None:
        kind, kept = DType.F32, {k: node.attrs[k] for k in _KEYS}
        if node.text("mode") == "nearest":
            kind = DType.BF16
            kept.update(_float32_scales(node, source))
        ctx.emit_float(node, "Interp", [ctx.as_float(source, kind, node.name)], kind, kept)
        return True
    x = ctx.as_float(source, DType.BF16, node.name)
    if product.op == "Deconv":
        x = ctx.current(_with_border(ctx, source, x))
    filters = ctx.weight(f"{node.name}_filter_bf16", round_bf16(product.weight(1)), DType.BF16)
    op = "Conv2D" if product.op == "Conv" else product.op
    keys = ("kernel_shape", "strides", "pads", "dilations", "group", "output_padding")
    attrs = {k: product.attrs[k] for k in keys if k in product.attrs}
    ctx.emit_float(node, op, [x, filters, None], DType.BF16, attrs)
    return True


def _float32_scales(node: Node, source: Value) -> dict[str, Attr]:
    """Scales by which a pixel between two is from where a float32 ratio puts it."""
    if node.text("coord_mode") == "asymmetric":
        return {}
    ratios = [np.float32(source.shape[a]) / np.float32(node.output.shape[a]) for a in (2, 3)]
    return {key: 1.0 / float(ratio) for key, ratio in zip(("scale_h", "scale_w"), ratios)}


def _as_product(node: Node, source: Value) -> Node | None:
    """The Conv or Deconv that it is; a Deconv reads the picture with its border."""
    if not node.text("coord_mode").endswith("half_pixel"):
        return None
    factors = [node.output.shape[axis] / source.shape[axis] for axis in (2, 3)]
    if factors == [0.5, 0.5]:
        window: dict[str, Attr] = {"strides": (2, 2), "pads": (0, 0, 0, 0)}
        return _by_channel("Conv", node, np.full((2, 2), 0.25, np.float32), window)
    if any(factor != int(factor) or factor < 2 for factor in factors):
        return None
    steps = tuple(int(factor) for factor in factors)
    rows, columns = (_parts(s) for s in steps)
    before, behind = zip(*(_cut(s) for s in steps))
    return _by_channel(
        "Deconv", node, np.outer(rows, columns), {"strides": steps, "pads": (*before, *behind)}
    )


def _by_channel(op: str, node: Node, part: np.ndarray, window: dict[str, Attr]) -> Node:
    """A Top op in place of `node`: the same filter for every channel, no bias."""
    channels = node.output.shape[1]
    data = np.repeat(part[None, None], channels, axis=0)
    filters = Value(f"{node.name}_filter", data.shape, data=data)
    shape: dict[str, Attr] = {"kernel_shape": part.shape, "dilations": (1, 1), "group": channels}
    attrs = with_defaults(op, {**shape, **window})
    return Node(op, (node.inputs[0], filters, None), node.outputs, attrs)


def _with_border(ctx: Lowering, source: Value, x: Value) -> Value:
    """A Top value for `x`, which `source` became, with its border repeated once."""
    n, c, h, w = source.shape
    border = Value(f"{source.name}_pad_edge", (n, c, h + 2, w + 2))
    for user, _ in x.uses:
        if user.name == border.name:
            ctx.lowered[id(border)] = user.output
            return border
    wider = Value("", border.shape, x.dtype, x.quant)
    pad: dict[str, Attr] = {"mode": "edge", "paddings": _EDGE}
    ctx.lowered[id(border)] = ctx.helper(border.name, "Pad", [x], wider, pad)
    return border


def _cut(factor: int) -> tuple[int, int]:
    """What a Deconv leaves out at both ends of an axis."""
    before = factor // 2 - 1
    return 2 * factor - 1 - before, factor + 1 + before


def _parts(factor: int) -> np.ndarray:
    """Weights of a Deconv along one axis, float32 of shape (2 * factor,)."""
    parts = np.zeros(2 * factor, np.float32)
    for i in range(factor):
        at = (factor // 2 - 1 - i) % factor
        far = np.float32(((0.5 + i) / factor + 0.5) % 1)
        parts[at], parts[factor + at] = np.float32(1) - far, far
    return parts[::-1]


QDM_RESIZING = {"Interp": lower_interp}
