"""The coefficient segment: weights as bytes, and back.

| type | bytes of one element |
|------|----------------------|
| F32, SI8 .. SI32 | little-endian, as numpy has it |
| F16 | IEEE half |
| BF16 | upper half of the float32 |
| F8E4M3, F8E5M2 | their byte |
| SI4, UI4 | two to a byte, the first in the low bits |

Each weight starts at a multiple of 64 bytes. Arrays read back are read-only; those of F32 and
integer types share the file's memory.
"""

from __future__ import annotations

import numpy as np

from tpuc.errors import ArtifactError, GraphError
from tpuc.ir import DType, Value
from tpuc.numerics.float8 import from_codes, to_codes

__all__ = ["WEIGHT_ALIGNMENT", "decode_weight", "encode_weight", "stored_size"]

WEIGHT_ALIGNMENT = 64
_MANTISSA = {DType.F8E4M3: 3, DType.F8E5M2: 2}


def stored_size(shape: tuple[int, ...], dtype: DType) -> int:
    """Bytes of a stored tensor."""
    count = 1
    for dim in shape:
        count *= dim
    return (count * dtype.bits + 7) // 8


def encode_weight(value: Value) -> bytes:
    """The stored form of a weight.

    Raises
    ------
    GraphError : the contents do not fit the declared type (a weight of a shorter float type that is
        not rounded, a 4-bit weight out of range, another numpy type)
    """
    data, dtype = value.data, value.dtype
    assert data is not None
    if data.dtype != dtype.numpy:
        raise GraphError(f"weight '{value.name}': holds {data.dtype}; expected {dtype.numpy}")
    raw = _narrow(np.ascontiguousarray(data).reshape(-1), dtype)
    again = _widen(raw, data.size, dtype)
    if again.tobytes() != data.tobytes():
        raise GraphError(f"weight '{value.name}': has values that {dtype} can not hold")
    return raw


def _narrow(flat: np.ndarray, dtype: DType) -> bytes:
    if dtype == DType.F16:
        with np.errstate(over="ignore"):
            return flat.astype("<f2").tobytes()
    if dtype == DType.BF16:
        return (flat.view(np.uint32) >> 16).astype("<u2").tobytes()
    if dtype.is_float8:
        return to_codes(flat, _MANTISSA[dtype]).tobytes()
    if dtype.bits == 4:
        nibbles = np.zeros(flat.size + flat.size % 2, np.uint8)
        nibbles[: flat.size] = flat.view(np.uint8) & 15
        return (nibbles[0::2] | nibbles[1::2] << 4).tobytes()
    return flat.astype(dtype.numpy.newbyteorder("<"), copy=False).tobytes()


def _widen(raw: bytes | memoryview, count: int, dtype: DType) -> np.ndarray:
    if dtype == DType.F16:
        return np.frombuffer(raw, "<f2").astype(np.float32)
    if dtype == DType.BF16:
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype.is_float8:
        return from_codes(np.frombuffer(raw, np.uint8), _MANTISSA[dtype])
    if dtype.bits == 4:
        packed = np.frombuffer(raw, np.uint8)
        nibbles = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1)[:count]
        if dtype == DType.UI4:
            return nibbles
        return (nibbles << 4).view(np.int8) >> 4
    return np.frombuffer(raw, dtype.numpy.newbyteorder("<")).astype(dtype.numpy, copy=False)


def decode_weight(
    coefficients: memoryview, offset: int, shape: tuple[int, ...], dtype: DType
) -> np.ndarray:
    """Contents of a weight that starts at byte `offset`; read-only.

    Raises
    ------
    ArtifactError : it is not aligned, or leaves the coefficient segment
    """
    end = offset + stored_size(shape, dtype)
    if offset < 0 or offset % WEIGHT_ALIGNMENT or end > len(coefficients):
        raise ArtifactError(
            f"weight at bytes {offset} to {end} of {len(coefficients)}; expected a multiple of "
            f"{WEIGHT_ALIGNMENT} inside the coefficient segment"
        )
    count = int(np.prod(shape, dtype=np.int64))
    array = _widen(coefficients[offset:end], count, dtype).reshape(shape)
    array.flags.writeable = False
    return array
