"""Evaluates TorchScript operators whose operands are all known at import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from tpuc.errors import UnsupportedError
from tpuc.frontend.torchscript_context import TorchNode

__all__ = ["evaluate"]

_TYPES = {
    0: torch.uint8,
    1: torch.int8,
    2: torch.int16,
    3: torch.int32,
    4: torch.int64,
    5: torch.float16,
    6: torch.float32,
    7: torch.float64,
    11: torch.bool,
    15: torch.bfloat16,
}
"""Numbers that stand for element types in TorchScript."""


def evaluate(node: TorchNode) -> Sequence[object]:
    """Results of an operator, computed by torch.

    Raises
    ------
    UnsupportedError : torch has no such operator, or refuses the operands
    """
    space, _, name = node.kind.partition("::")
    operator = getattr(getattr(torch.ops, space), name, None)
    if operator is None:
        raise UnsupportedError(f"{node}: can not be evaluated at import")
    try:
        args, named = _arguments(node)
        with torch.inference_mode():
            result = operator(*args, **named)
    except Exception as error:  # torch raises many types
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnsupportedError(f"{node}: can not be evaluated at import ({reason})") from error
    return result if len(node.outputs) > 1 else (result,)


def _arguments(node: TorchNode) -> tuple[list[Any], dict[str, Any]]:
    """Positional and named arguments; in the graph all are positional, and types are numbers."""
    args: list[Any] = []
    named: dict[str, Any] = {}
    for argument, given in zip(torch._C.parse_schema(node.schema).arguments, node.args):
        kind = str(argument.real_type)
        value = given
        if "ScalarType" in kind and isinstance(given, int):
            value = _TYPES[given]
        elif "Layout" in kind:
            value = None
        if argument.kwarg_only:
            named[argument.name] = value
        else:
            args.append(value)
    return args, named
