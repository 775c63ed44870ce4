"""Which function converts which ONNX operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tpuc.frontend.onnx_context import Context, OnnxNode

__all__ = ["CONVERTERS", "converts"]

Converter = Callable[["Context", "OnnxNode"], None]

CONVERTERS: dict[str, Converter] = {}
"""Converter by operator type; differences between opsets are told apart by where a number comes
from (attribute or input), which the context hides."""


def converts(*op_types: str) -> Callable[[Converter], Converter]:
    """Register a converter.

    Raises
    ------
    ValueError : an operator has one already
    """

    def register(function: Converter) -> Converter:
        for op_type in op_types:
            if op_type in CONVERTERS:
                raise ValueError(f"two converters for {op_type}")
            CONVERTERS[op_type] = function
        return function

    return register
