"""Conv and MatMul of 4-bit numbers, 8-bit ones around them.

    s_w[c] = max(float32(max|w[c]| / 7), 1e-5); wq = saturate(round(w / s_w)), -8 .. 7; of a MatMul
             one s_w = max|w| / 7; weights without sign (as in INT8) use 15 instead of 7
    bias   = round(b / (s_w * s_in)), int32
    y      = saturate((sum(x * wq) + bias) * m >> r), m, r of s_w * s_in / s_out

x is 4-bit: what a 4-bit op gives, an input of the network cast with its 8-bit threshold, or else
8-bit numbers requantized, round(q * s_8 / s_4). s_4 = (max - min) / 15 of the section `#int4_th`.
y is 8-bit if only ops read it that have no 4-bit form, 4-bit if only such do that have one (or a
MatMul is an output of the network), whatever their type is in this build; for both kinds of readers
a Conv gives int32, requantized twice, halves away from zero. An INT8 Conv or MatMul that reads such
4 bits takes their steps for those of 8 bits, s_8 if the table names the op before it in `#int4_op`,
else threshold_4 / 255 or 127: 16 times too small, as in TPU-MLIR. A search sees what that costs.
Source: TPU-MLIR's lowering for BM1688, measured with its interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from tpuc.artifacts import Range
from tpuc.ir import Attr, DType, Graph, Node, QuantType, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.requant import multiplier_shift, multipliers_shifts
from tpuc.numerics.rounding import round_away

__all__ = ["can_be_four_bits", "lower_four_bits", "reading_nibbles"]

Rows = Callable[[str], tuple[Range, Range]]

_KEYS = ("kernel_shape", "strides", "pads", "dilations", "group")


def can_be_four_bits(node: Node) -> bool:
    """Whether an op has a 4-bit form: a Conv that is not depthwise, or a MatMul, with weights."""
    if node.op not in ("Conv", "MatMul"):
        return False
    left, right = node.inputs[:2]
    if right is None or not right.is_weight or left is None or left.is_weight:
        return False
    if node.op == "MatMul":
        return len(right.shape) == 2
    group = node.integer("group")
    return not (group > 1 and group == left.shape[1] == right.shape[0])


@contextmanager
def reading_nibbles(ctx: Lowering, node: Node) -> Iterator[None]:
    """Inside, an op that has a 4-bit form reads the 4 bits of a tensor that has 8 and 4 of them."""
    value = node.inputs[0] if node.inputs and can_be_four_bits(node) else None
    if value is None or id(value) not in ctx.nibbles:
        yield
        return
    whole = ctx.lowered[id(value)]
    ctx.lowered[id(value)] = ctx.nibbles[id(value)]
    yield
    ctx.lowered[id(value)] = whole


def lower_four_bits(ctx: Lowering, node: Node, source: Graph, rows: Rows) -> None:
    """Lower a Conv or a MatMul.

    Parameters
    ----------
    source : Graph
        Dialect `top`, whose outputs are the network's.
    rows : callable
        8-bit and 4-bit row of the calibration table, by the name of a tensor.
    """
    x = _operand(ctx, node, rows)
    assert x.quant is not None
    weight, bias, factor = _weights(ctx, node, x.quant.scale)
    byte, nibble = _types(ctx, node, rows)
    small = [can_be_four_bits(user) for user in node.output.users]
    if any(node.output is v for v in source.outputs):
        small.append(node.op == "MatMul")
        small = [True] if small[-1] else small
    if node.op == "Conv" and any(small) and not all(small):
        _both(ctx, node, (x, weight, bias), (byte, nibble), factor)
        return
    kind, quant = nibble if all(small) else byte
    out = Value("", node.output.shape, kind, quant)
    op, attrs = _requantized(node, factor / quant.scale)
    made = ctx.emit_int(node, op, [x, weight, bias], attrs, like=out)
    if all(small):
        _note_nibble(ctx, node, made, byte[1])


def _note_nibble(ctx: Lowering, node: Node, made: Value, byte: QuantType) -> None:
    ctx.nibbles[id(node.output)] = made
    marked = node.name in ctx.marked
    ctx.taken_as[id(made)] = byte.scale if marked else ctx.scale(node.output)


def _operand(ctx: Lowering, node: Node, rows: Rows) -> Value:
    """The left side in 4 bits."""
    value = node.inputs[0]
    assert value is not None
    if id(value) in ctx.nibbles:
        return ctx.nibbles[id(value)]
    now = ctx.current(value)
    if now.producer is not None and now.producer.op == "Input" and now.dtype.is_float:
        low, high = ctx.ranges[value.name]
        signed = low < 0
        quant = QuantType(max(abs(low), abs(high)) / (7.0 if signed else 15.0))
        return ctx.narrow(value, DType.SI4 if signed else DType.UI4, quant, node.name)
    x = ctx.as_int(value, node.name)
    row = rows(value.name)[1]
    assert x.quant is not None
    scale = (row.max - row.min) / 15.0
    kind = DType.SI4 if x.dtype.is_signed else DType.UI4
    out = Value("", value.shape, kind, QuantType(scale))
    attrs: dict[str, Attr] = {"scale": x.quant.scale / scale, "offset": 0.0}
    return ctx.helper(f"{x.name}_to_b4_for_{node.name}", "RequantFp", [x], out, attrs)


def _weights(ctx: Lowering, node: Node, s_in: float) -> tuple[Value, Value | None, np.ndarray]:
    """Weight, bias, and s_w * s_in, for each channel of a Conv."""
    w = node.weight(1)
    given = node.inputs[2] if len(node.inputs) > 2 else None
    b = None if given is None or given.data is None or not np.any(given.data) else given.data
    unsigned = node.op == "Conv" and b is None and float(w.min()) >= 0
    kind = DType.UI8 if unsigned else DType.SI8

    def quantize() -> tuple[np.ndarray, np.ndarray]:
        q, scales = _one_scale(w) if node.op == "MatMul" else _by_channel(w, unsigned)
        return np.ascontiguousarray(q, kind.numpy), scales

    q, scales = ctx.memo.of(w, (kind, 4), quantize)
    suffix = "int4" if node.op == "MatMul" else "u4" if unsigned else "i4"
    bias = None
    if b is not None:
        words = round_away(b.astype(np.float64) / (scales * s_in))
        bias = ctx.weight(f"{node.name}_bias_int32", words, DType.SI32)
    return ctx.weight(f"{node.name}_filter_{suffix}", q, kind), bias, scales * s_in


def _one_scale(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scales = np.array(float(np.abs(w).max()) / 7.0)
    return np.clip(round_away(w.astype(np.float64) / scales), -128, 127), scales


def _by_channel(w: np.ndarray, unsigned: bool) -> tuple[np.ndarray, np.ndarray]:
    limit, low = (15, 0) if unsigned else (7, -8)
    largest = np.abs(w.reshape(w.shape[0], -1)).max(axis=1)
    scales = np.maximum((largest / np.float32(limit)).astype(np.float64), 1e-5)
    shape = (-1, *([1] * (w.ndim - 1)))
    return np.clip(round_away(w.astype(np.float64) / scales.reshape(shape)), low, limit), scales


def _types(
    ctx: Lowering, node: Node, rows: Rows
) -> tuple[tuple[DType, QuantType], tuple[DType, QuantType]]:
    """8-bit and 4-bit type of the result."""
    low, high = ctx.ranges[node.name]
    signed = low < 0
    row = rows(node.name)[0]
    least = -row.threshold * 128.0 / 127.0 if row.min < 0 else 0.0
    byte = QuantType((row.threshold - least) / 255.0)
    nibble = QuantType(max(abs(low), abs(high)) / (7.0 if signed else 15.0))
    if signed:
        return (DType.SI8, byte), (DType.SI4, nibble)
    return (DType.UI8, byte), (DType.UI4, nibble)


def _requantized(node: Node, factor: np.ndarray) -> tuple[str, dict[str, Attr]]:
    if node.op == "MatMul":
        m, r = multiplier_shift(float(np.float32(factor)), 32)
        turned = {k: node.attrs[k] for k in ("left_transpose", "right_transpose")}
        words: dict[str, Attr] = {"multipliers": (m,), "rshifts": (r,)}
        return "MatMul", {**turned, **words, "do_relu": node.flag("do_relu")}
    ms, rs = multipliers_shifts(factor, 32)
    attrs = {k: node.attrs[k] for k in _KEYS if k in node.attrs}
    attrs.update(do_relu=node.flag("do_relu"))
    attrs.update(multiplier=tuple(ms.tolist()), rshift=tuple(rs.tolist()))
    return "Conv2D", attrs


def _both(
    ctx: Lowering,
    node: Node,
    operands: tuple[Value, Value, Value | None],
    types: tuple[tuple[DType, QuantType], tuple[DType, QuantType]],
    factor: np.ndarray,
) -> None:
    """A Conv to int32, and from there to 8 and to 4 bits."""
    attrs = {k: node.attrs[k] for k in _KEYS if k in node.attrs}
    raw = Value("", node.output.shape, DType.SI32, QuantType(1.0))
    sums = ctx.helper(f"{node.name}_int32", "Conv2D", operands, raw, attrs)
    made = []
    for bits, (kind, quant) in zip((8, 4), types):
        m, r = multipliers_shifts(factor / quant.scale, 32)
        words = np.stack([m, r, np.zeros_like(m)], axis=1)
        table = ctx.weight(f"w_quant_int{bits}_for_{node.name}", words, DType.SI32)
        out = Value("", node.output.shape, kind, quant)
        name, relu = f"requant_int{bits}_for_{node.name}", {"do_relu": node.flag("do_relu")}
        made.append(ctx.helper(name, "RequantIntAxis", [sums, table], out, relu))
    ctx.lowered[id(node.output)] = made[0]
    _note_nibble(ctx, node, made[1], types[0][1])
