"""The table of float kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["KERNELS", "Kernel", "Tensor", "kernel"]

Tensor = torch.Tensor
Kernel = Callable[..., Any]

KERNELS: dict[str, Kernel] = {}
"""Kernel by Top op: (node, operand tensors, None where absent) -> output tensor, or a list."""


def kernel(*ops: str) -> Callable[[Kernel], Kernel]:
    """Register a function for some ops."""

    def register(function: Kernel) -> Kernel:
        for op in ops:
            KERNELS[op] = function
        return function

    return register
