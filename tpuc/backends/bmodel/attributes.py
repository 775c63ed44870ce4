"""Attributes as JSON, and back without loss: numpy numbers become plain, tuples lists, and numbers
that JSON lacks `{"float": "inf"}`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tpuc.errors import GraphError
from tpuc.ir import Attr, spec_of

__all__ = ["check_attrs", "decode_attrs", "encode_attrs"]


def encode_attrs(attrs: Mapping[str, Any], where: str) -> dict[str, Any]:
    """JSON form.

    Raises
    ------
    GraphError : a value is no attribute
    """
    return {key: _encode(value, f"{where}: attribute {key!r}") for key, value in attrs.items()}


def _encode(value: Any, where: str) -> Any:
    if isinstance(value, tuple | list):
        return [_encode(item, where) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, bool | int | float | str):
        return str(value) if isinstance(value, str) else value
    raise GraphError(f"{where} is a {type(value).__name__}; expected a number, text or a tuple")


def decode_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a JSON object.

    Raises
    ------
    TypeError, ValueError : it is no such object
    """
    return {key: _decode(value) for key, value in dict(attrs).items()}


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if isinstance(value, dict):
        return float(value["float"])
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} is no attribute")


def _is_int(value: object) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and -(1 << 63) <= value < 1 << 63  # type: ignore[operator]


def _is_number(value: object) -> bool:
    return _is_int(value) or isinstance(value, float | np.floating)


_SCALAR_KINDS: dict[str, Callable[[object], bool]] = {
    "bool": lambda v: isinstance(v, bool | np.bool_),
    "i64": _is_int,
    "si32": _is_int,
    "f64": _is_number,
    "str": lambda v: isinstance(v, str),
}


def check_attrs(op: str, attrs: Mapping[str, Any], where: str) -> dict[str, Attr]:
    """The attributes, if each is of the kind that its op's row says.

    Raises
    ------
    GraphError : one is not
    """
    spec = spec_of(op, "tpu")
    for key, value in attrs.items():
        if key not in spec.attrs:
            raise GraphError(f"{where}: unknown attribute {key!r}; expected {sorted(spec.attrs)}")
        kind = spec.attrs[key].kind
        if not _is_kind(value, kind):
            raise GraphError(f"{where}: attribute {key!r} is {value!r}; expected {kind}")
    return dict(attrs)


def _is_kind(value: Any, kind: str) -> bool:
    if kind.endswith("[]"):
        of_item = _SCALAR_KINDS[kind[:-2]]
        return isinstance(value, tuple | list) and all(of_item(item) for item in value)
    return _SCALAR_KINDS[kind](value)
