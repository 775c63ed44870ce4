"""What a TorchScript converter sees: operands as Python values, and a way to emit ops.

Every name of the TorchScript graph stands for a plain Python value (number, list, tensor, module:
known at import) or for a `Value` of the graph (computed from the inputs).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.importer import Importer
from tpuc.ir import Value

__all__ = ["Missing", "TorchContext", "TorchNode", "is_known"]


class Missing:
    """Result of an operator that is not supported; whatever reads it is missing, too."""


def is_known(item: object) -> bool:
    """True if nothing in it depends on the network's inputs."""
    if isinstance(item, list | tuple):
        return all(is_known(i) for i in item)
    if isinstance(item, dict):
        return all(is_known(i) for i in item.values())
    return not isinstance(item, Value | Missing)


@dataclass(frozen=True)
class TorchNode:
    """One TorchScript node.

    Parameters
    ----------
    kind : str
        `aten::relu`; in-place variants without their underscore.
    operands : tuple of str
        Names of the inputs.
    args : tuple
        Their values.
    outputs : tuple of str
    schema : str
        What torch says about the operator's arguments.
    """

    kind: str
    operands: tuple[str, ...]
    args: tuple[Any, ...]
    outputs: tuple[str, ...]
    schema: str = ""

    @property
    def name(self) -> str:
        """Name of the op made from it: the debug name of the first output, as in TPU-MLIR."""
        return self.outputs[0]

    def arg(self, index: int, default: Any = None) -> Any:
        """A known argument as a Python value; tensors of one number become that number.

        Raises
        ------
        UnsupportedError : it is computed from the network's inputs
        """
        if index >= len(self.args):
            return default
        item = self.args[index]
        if not is_known(item):
            raise UnsupportedError(f"{self}: argument {index} must be constant")
        return item.item() if hasattr(item, "item") and item.numel() == 1 else item

    def ints(self, index: int, rank: int | None = None) -> tuple[int, ...]:
        """A list of integers; a single one is repeated `rank` times."""
        item = self.arg(index)
        numbers = item if isinstance(item, list | tuple) else [item]
        whole = tuple(int(n.item() if hasattr(n, "item") else n) for n in numbers)
        return whole * rank if rank is not None and len(whole) == 1 else whole

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"


@dataclass
class TorchContext(Importer[TorchNode]):
    """State of one import.

    Parameters
    ----------
    known : dict
        What each name of the TorchScript graph stands for.
    unpacked : dict
        Names that the members of a list get where it is unpacked, by the list's name.
    """

    known: dict[str, Any] = field(default_factory=dict)
    unpacked: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def value(self, node: TorchNode, index: int = 0) -> Value:
        """An operand as a value: an activation, or a float32 weight made of a constant.

        Raises
        ------
        UnsupportedError : it is neither
        """
        item = node.args[index]
        if isinstance(item, Value):
            return item
        return self.weight(node.operands[index], self.array(node, index))

    def array(self, node: TorchNode, index: int) -> np.ndarray:
        """Contents of a constant operand, float32.

        Raises
        ------
        UnsupportedError : it is computed from the network's inputs, or is no tensor or number
        """
        item = node.args[index]
        if hasattr(item, "detach"):
            return item.detach().float().numpy()
        if isinstance(item, bool | int | float):
            return np.array(item, np.float32)
        what = "computed" if isinstance(item, Value) else type(item).__name__
        raise UnsupportedError(f"{node}: argument {index} is {what}; expected a constant tensor")

    def optional(self, node: TorchNode, index: int) -> Value | None:
        """An operand that may be None or left out."""
        if index >= len(node.args) or node.args[index] is None:
            return None
        return self.value(node, index)

    def bind(self, node: TorchNode, value: Value, named: bool) -> None:
        """Let a value stand for the node's output."""
        self.known[node.outputs[0]] = value

    def alias(self, node: TorchNode, item: object) -> None:
        """Let the node's output be something that exists."""
        self.known[node.outputs[0]] = item
