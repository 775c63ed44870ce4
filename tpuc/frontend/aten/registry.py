"""Which function converts which TorchScript operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tpuc.frontend.torchscript_context import TorchContext, TorchNode

__all__ = ["ATEN", "converts"]

Converter = Callable[["TorchContext", "TorchNode"], None]

ATEN: dict[str, Converter] = {}
"""Converter by operator kind, in-place variants without their underscore."""


def converts(*kinds: str) -> Callable[[Converter], Converter]:
    """Register a converter for `aten::<kind>`.

    Raises
    ------
    ValueError : an operator has one already
    """

    def register(function: Converter) -> Converter:
        for kind in kinds:
            if f"aten::{kind}" in ATEN:
                raise ValueError(f"two converters for aten::{kind}")
            ATEN[f"aten::{kind}"] = function
        return function

    return register
