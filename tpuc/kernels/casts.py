"""Casts between stored types.

F32 -> int:  saturate(round(x * float32(1 / scale))), halves away from zero
F16 -> int:  the same with factor and product rounded to half (BF16 likewise, and the number)
int -> F32:  float32(scale) * q
int -> F16:  half(half(scale) * half(q)) (BF16 likewise)
int -> int32: the real number, halves away from zero
F32 -> F16 or BF16:     nearest even
F16 <-> BF16, to F32:   the number unchanged, as in TPU-MLIR's simulator
any float -> F8E5M2:    nearest even; from it: the number unchanged
any float -> F8E4M3:    nearest even of float32(x / (1 / float32(1 / scale)))
F8E4M3 -> any float:    half(scale) * q, rounded to the type
On processors whose casts go through BF16, halves to even:
F32 -> int:  saturate(round(x * (float32(1) / float32(scale))))
F32 -> BF16: the upper 16 bits
BF16 -> int: saturate(round(bf16(x * bf16(1 / scale))))
int -> any float: bf16(bf16(scale) * q)
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import DType, Node, Value
from tpuc.numerics.float8 import divide, round_f8e4m3, round_f8e5m2
from tpuc.numerics.qparams import dequantize
from tpuc.numerics.rounding import cut_bf16, round_away, round_bf16, round_f16

__all__ = [
    "cast",
    "cast_rounding",
    "cuts",
    "dequantize_factor",
    "float8_step",
    "quantize_factor",
    "round_to",
    "through_bf16",
    "to_float32",
]


_ROUNDING = {
    DType.F16: round_f16,
    DType.BF16: round_bf16,
    DType.F8E4M3: round_f8e4m3,
    DType.F8E5M2: round_f8e5m2,
}


def round_to(x: np.ndarray, dtype: DType) -> np.ndarray:
    """Round float32 to a float type."""
    rounding = _ROUNDING.get(dtype)
    return np.asarray(x, np.float32) if rounding is None else rounding(x)


def cast_rounding(source: DType, target: DType) -> DType:
    """The type to which a cast between float types rounds."""
    return target if source == DType.F32 or target.is_float8 else DType.F32


def float8_step(scale: float) -> float:
    """What a number is divided by to become F8E4M3 of this scale: float32(1 / float32(1 / s))."""
    return float(np.float32(1) / np.float32(1.0 / scale))


def through_bf16(node: Node) -> bool:
    """Whether a Cast between integers and floats computes in BF16."""
    return node.attrs.get("through") == "BF16"


def cuts(source: DType, target: DType, short: bool) -> bool:
    """Whether a cast between floats takes the upper bits, unrounded."""
    return short and source == DType.F32 and target == DType.BF16


def quantize_factor(scale: float, kind: DType, short: bool = False) -> float:
    """What a float of type `kind` is multiplied by to be rounded to an integer."""
    if short and kind == DType.F32:
        return float(np.float32(1) / np.float32(scale))
    return float(round_to(np.array(1.0 / scale, np.float32), kind))


def dequantize_factor(scale: float, kind: DType, short: bool = False) -> float:
    """What an integer is multiplied by to become a float of type `kind`."""
    return float(round_to(np.array(scale, np.float32), DType.BF16 if short else kind))


def cast(x: np.ndarray, source: Value, target: Value, short: bool = False) -> np.ndarray:
    """Convert a stored array of `source`'s type to `target`'s; `short`: through BF16."""
    if source.dtype.is_float and target.dtype.is_float:
        if cuts(source.dtype, target.dtype, short):
            return cut_bf16(x)
        if source.dtype == DType.F8E4M3:
            return round_to(_unscaled(x, source), target.dtype)
        if target.dtype == DType.F8E4M3:
            assert target.quant is not None
            return round_f8e4m3(divide(x, float8_step(target.quant.scale)))
        return round_to(x, cast_rounding(source.dtype, target.dtype))
    if source.dtype.is_float:
        return (
            _quantize_even(x, source.dtype, target) if short else _quantize(x, source.dtype, target)
        )
    if target.dtype.is_float:
        assert source.quant is not None
        if short:
            factor = np.float32(dequantize_factor(source.quant.scale, target.dtype, True))
            return round_bf16(factor * (x.astype(np.int64) - source.quant.zero_point))
        if target.dtype == DType.F32:
            return dequantize(x, source.quant)
        scale = round_to(np.array(source.quant.scale, np.float32), target.dtype)
        shifted = round_to((x.astype(np.int64) - source.quant.zero_point), target.dtype)
        return round_to(scale * shifted, target.dtype)
    if target.dtype == DType.SI32 and source.quant is not None:
        return round_away(dequantize(x, source.quant)).astype(np.int32)
    raise NotImplementedError(f"cast '{target.name}': {source.dtype} to {target.dtype}")


def _unscaled(x: np.ndarray, source: Value) -> np.ndarray:
    assert source.quant is not None
    return np.asarray(x, np.float32) * round_f16(np.array(source.quant.scale, np.float32))


def _quantize_even(x: np.ndarray, kind: DType, target: Value) -> np.ndarray:
    assert target.quant is not None
    low, high = target.dtype.qrange
    factor = np.float32(quantize_factor(target.quant.scale, kind, True))
    with np.errstate(over="ignore", invalid="ignore"):
        q = np.rint(round_to(np.asarray(x, np.float32) * factor, kind)) + target.quant.zero_point
    q = np.where(np.isnan(q), 0.0, q)
    return np.clip(q, low, high).astype(target.dtype.numpy)


def _quantize(x: np.ndarray, kind: DType, target: Value) -> np.ndarray:
    assert target.quant is not None
    low, high = target.dtype.qrange
    inverse = round_to(np.array(1.0 / target.quant.scale, np.float32), kind)
    with np.errstate(over="ignore", invalid="ignore"):
        number = round_to(x, kind) if kind == DType.BF16 else np.asarray(x, np.float32)
        scaled = round_to(number * inverse, kind)
        q = np.where(np.isnan(scaled), 0.0, round_away(scaled)) + target.quant.zero_point
    return np.clip(q, low, high).astype(target.dtype.numpy)


def to_float32(x: np.ndarray, value: Value) -> np.ndarray:
    """A stored array as real numbers, float32."""
    if value.dtype.is_float:
        plain = np.asarray(x, np.float32)
        if value.quant is None:
            return plain
        return (plain.astype(np.float64) * value.quant.scale).astype(np.float32)
    if value.dtype == DType.SI32:
        return x.astype(np.float32)
    assert value.quant is not None
    return dequantize(x, value.quant)
