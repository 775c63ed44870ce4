"""Small ONNX ops on constants, in numpy: shape arithmetic that exporters write out.

onnx's reference evaluator does the same; it takes longer to load than a network to import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["evaluate_plain"]

_TYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}
_LARGEST = 4096
"""Numbers of an operand: what computes shapes is small."""

Attrs = Mapping[str, Any]
Arrays = Sequence[np.ndarray]


def evaluate_plain(op: str, attrs: Attrs, operands: Arrays) -> np.ndarray | None:
    """Result of an op; None if it is none of those here, or not in a plain form."""
    rule = _RULES.get(op)
    if rule is None or any(a.size > _LARGEST or a.dtype.kind not in "bif" for a in operands):
        return None
    try:
        return rule(attrs, operands)
    except (IndexError, OverflowError, TypeError, ValueError):
        return None  # the reference evaluator tells what is wrong


def _cast(attrs: Attrs, operands: Arrays) -> np.ndarray | None:
    kind = _TYPES.get(attrs.get("to", 0))
    if kind is None or operands[0].dtype.kind == "f":  # floats to integers have corners
        return None
    return operands[0].astype(kind)


def _concat(attrs: Attrs, operands: Arrays) -> np.ndarray | None:
    if len({a.dtype for a in operands}) != 1:
        return None
    return np.concatenate(operands, axis=attrs["axis"]) if "axis" in attrs else None


def _constant_of_shape(attrs: Attrs, operands: Arrays) -> np.ndarray | None:
    from onnx import numpy_helper

    value = numpy_helper.to_array(attrs["value"]) if "value" in attrs else np.zeros(1, np.float32)
    shape = operands[0].tolist()
    if value.size != 1 or value.dtype not in _TYPES.values() or np.prod(shape) > _LARGEST:
        return None
    return np.full(shape, value.reshape(-1)[0], value.dtype)


def _reshape(attrs: Attrs, operands: Arrays) -> np.ndarray | None:
    data, shape = operands
    if attrs.get("allowzero", 0) or 0 in shape:
        return None
    return data.reshape(shape.tolist())


def _slice(attrs: Attrs, operands: Arrays) -> np.ndarray | None:
    if len(operands) < 4 or attrs:  # older opsets, or axes left out
        return None
    data, starts, ends, axes = operands[:4]
    steps = operands[4] if len(operands) > 4 else np.ones(len(axes), np.int64)
    places = [slice(None)] * data.ndim
    for axis, *part in zip(*(a.tolist() for a in (axes, starts, ends, steps)), strict=True):
        places[axis] = slice(*part)
    return data[tuple(places)]


def _transpose(attrs: Attrs, operands: Arrays) -> np.ndarray:
    return np.transpose(operands[0], attrs.get("perm"))


_RULES: dict[str, Callable[[Attrs, Arrays], np.ndarray | None]] = {
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Reshape": _reshape,
    "Slice": _slice,
    "Transpose": _transpose,
}
