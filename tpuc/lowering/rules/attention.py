"""Attention: one op a head, their results added.

INT8, with `>>` rounding half away from zero and saturation to int8 after each:
    q = (x wq + bq) * m >> s,  k, v alike,  p = q k^T * m >> s
    p = saturate(p - 255 where the mask is not 0)
    a = round(t[127 - p] / (sum of t * s_softmax)), t[i] = exp(-s_scaled * i), uint8
    (0 where the sum is 0: powers below the least normal float32 are 0, in TPU-MLIR's table too;
    thresholds of scores above 44, as max finds them, lose rows of low scores by it)
    y = (a v * m >> s) wo + bo, int32;  the sum over heads * m >> s is the output
Weights of q, k, v have a scale for each head, the output's weight one for all; max|w| / 127.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, DType, Node, QuantType, Value
from tpuc.lowering.context import Lowering
from tpuc.lowering.ranges import Ranges
from tpuc.numerics.qparams import choose_qparams
from tpuc.numerics.requant import multiplier_shift
from tpuc.numerics.rounding import round_away

__all__ = ["lower_attention", "lower_attention_float"]

_COUNT = QuantType(1.0)


def _heads(node: Node) -> list[list[np.ndarray | None]]:
    """wq, bq, wk, bk, wv, bv, wo, bo of each head; bo for the first one only."""
    heads = node.integer("head")
    parts: list[list[np.ndarray | None]] = []
    for head in range(heads):
        found: list[np.ndarray | None] = []
        for index, value in enumerate(node.inputs[1:9], 1):
            data = None if value is None else value.data
            if data is None or (index == 8 and head):
                found.append(None)
            elif index == 8:
                found.append(data)
            else:
                axis = 0 if index == 7 else -1
                found.append(np.ascontiguousarray(np.split(data, heads, axis)[head]))
        parts.append(found)
    return parts


def _attrs(node: Node, weights: list[np.ndarray | None], scale: float) -> dict[str, Attr]:
    biases = [w is not None for w in weights[1::2]]
    mark = sum(1 << i for i, given in enumerate(biases) if given)
    return {"head": 1, "dim": node.attrs["dim"], "has_bias": mark, "scale": scale}


def lower_attention_float(ctx: Lowering, node: Node, kind: DType) -> None:
    """Every head and their sum in one float type; TPU-MLIR has no F32 form and takes F16."""
    kind = DType.F16 if kind == DType.F32 else kind
    source, mask = node.inputs[0], node.inputs[9] if len(node.inputs) > 9 else None
    assert source is not None
    whole = ctx.graph.attrs["mode"] == kind.name
    x = ctx.as_float(source, kind, _first(ctx, node) if whole else f"{node.name}_head_0")
    hidden = None if mask is None else ctx.as_float(mask, kind, node.text("mask_reader"))
    ctx.readers[id(source)] = _first(ctx, node)
    total: Value | None = None
    for head, weights in enumerate(_heads(node)):
        name = f"{node.name}_head_{head}"
        operands = [
            None if w is None else ctx.float_weight(Value(f"{name}_{i}", w.shape, data=w), kind)
            for i, w in enumerate(weights)
        ]
        attrs = _attrs(node, weights, node.number("scale"))
        out = Value("", node.output.shape, kind)
        part = ctx.helper(name, "Attention", [x, None, None, *operands, hidden], out, attrs)
        total = part if total is None else _sum(ctx, node, head, (total, part), kind)
    assert total is not None
    ctx.lowered[id(node.output)] = total


def _sum(ctx: Lowering, node: Node, head: int, pair: tuple[Value, Value], kind: DType) -> Value:
    """What the heads up to this one give; of floats the last sum has the output's name."""
    last = head == node.integer("head") - 1 and kind.is_float
    name = node.name if last else f"{node.name}_attention_out_fuse_{head}"
    out = Value("", node.output.shape, kind, None if kind.is_float else _COUNT)
    relu: dict[str, Attr] = {"do_relu": True} if last and node.flag("do_relu") else {}
    return ctx.helper(name, "Add", list(pair), out, relu)


def _first(ctx: Lowering, node: Node) -> str:
    """After what TPU-MLIR names the cast of the input: of the MatMuls that read it, the first one
    that the table leaves in integers."""
    names = node.attrs["scale_names"]
    assert isinstance(names, tuple)
    whole = (str(n) for n in names[:3] if not ctx.named_float(str(n)))
    return next(whole, f"{node.name}_head_0")


def _quantized(data: np.ndarray | None, scale: float) -> np.ndarray | None:
    return None if data is None else round_away(data.astype(np.float64) / scale)


def _scales(ranges: Ranges, node: Node) -> list[float] | None:
    names = node.attrs["scale_names"]
    assert isinstance(names, tuple)
    if any(n not in ranges for n in names):
        return None
    return [choose_qparams(*ranges[str(n)])[1].scale for n in names]


def lower_attention(ctx: Lowering, node: Node) -> str | None:
    """INT8."""
    scales = _scales(ctx.imported, node)
    source, mask = node.inputs[0], node.inputs[9] if len(node.inputs) > 9 else None
    if scales is None or source is None:
        return "a tensor inside it has no calibration entry"
    if node.flag("do_relu") and ctx.qtype(node.output)[0] != DType.UI8:
        return "its relu needs a result without negative numbers"
    x = ctx.as_int(source, _first(ctx, node))
    hidden = None if mask is None else _mask(ctx, mask, f"{node.name}_head_0")
    out_weight = node.weight(7)
    total: Value | None = None
    largest = float(np.abs(out_weight).max()) / 127.0
    for head, weights in enumerate(_heads(node)):
        name = f"{node.name}_head_{head}"
        operands, attrs = _head(ctx, node, weights, (name, ctx.int_type(source, name)[1].scale))
        out = Value("", node.output.shape, DType.SI32, _COUNT)
        inputs = [x, None, None, *operands[:-1], hidden, operands[-1]]
        part = ctx.helper(name, "Attention", inputs, out, attrs)
        total = part if total is None else _sum(ctx, node, head, (total, part), DType.SI32)
    m, r = multiplier_shift(scales[6] * largest / ctx.scale(node.output), 32)
    ctx.emit_int(node, "RequantInt", [total], {"multiplier": m, "rshift": r})
    return None


def _mask(ctx: Lowering, mask: Value, user: str) -> Value:
    now = ctx.real(mask)
    if now.dtype.is_float:
        return ctx.narrow(mask, DType.SI32, _COUNT, user)
    return ctx.recast(now, DType.SI32, user)


def _head(
    ctx: Lowering, node: Node, weights: list[np.ndarray | None], about: tuple[str, float]
) -> tuple[list[Value | None], dict[str, Attr]]:
    """Integer weights and the table, and the attributes, of one head."""
    name, s_in = about
    scales = _scales(ctx.imported, node)
    assert scales is not None
    s_q, s_k, s_v, s_products, s_scaled, s_softmax, s_mixed = scales
    operands: list[Value | None] = []
    words: list[int] = []
    for letter, index, target in (("q", 0, s_q), ("k", 2, s_k), ("v", 4, s_v)):
        w, b = weights[index], weights[index + 1]
        assert w is not None
        s_w = float(np.abs(w).max()) / 127.0
        operands += _pair(ctx, f"{name}_weight_{letter}", (w, b), (s_w, s_w * s_in))
        words += [*multiplier_shift(s_w * s_in / target, 32), 0]
    s_out = float(np.abs(node.weight(7)).max()) / 127.0
    both = (weights[6], weights[7])
    operands += _pair(ctx, f"{name}_weight_o", both, (s_out, s_out * s_mixed))
    words += [*multiplier_shift(s_q * s_k / s_products, 32), 0]
    words += [*multiplier_shift(s_softmax * s_v / s_mixed, 32), 0, 0]
    table = np.exp(-1.0 * np.float32(s_scaled) * np.arange(256)).astype(np.float32)
    table[table < np.finfo(np.float32).tiny] = 0
    operands.append(ctx.weight(f"{name}_table", table.reshape(1, 1, 1, 256), DType.F32))
    return operands, {**_attrs(node, weights, s_softmax), "quant_param": tuple(words)}


def _pair(
    ctx: Lowering,
    name: str,
    data: tuple[np.ndarray | None, np.ndarray | None],
    scales: tuple[float, float],
) -> list[Value | None]:
    w, b = (_quantized(d, s) for d, s in zip(data, scales))
    assert w is not None
    filters = ctx.weight(f"{name}_int8", np.clip(w, -128, 127), DType.SI8)
    return [filters, None if b is None else ctx.weight(f"{name}_int32", b, DType.SI32)]
