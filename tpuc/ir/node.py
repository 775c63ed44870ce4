"""What a graph is made of: tensors and ops."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tpuc.errors import GraphError
from tpuc.ir.types import DType, QuantType

__all__ = ["Attr", "Node", "Value"]

Attr = bool | int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


@dataclass(eq=False)
class Value:
    """A tensor: the output of a node, or a weight.

    Parameters
    ----------
    name : str
        Unique in its graph among outputs.
    shape : tuple of int
        Static; () for a scalar.
    quant : QuantType, optional
        Scale and zero point of an integer tensor of Graph[tpu].
    data : ndarray, optional
        Contents of a weight: float32 in Graph[top]; `dtype.numpy` in Graph[tpu].
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType = DType.F32
    quant: QuantType | None = None
    data: np.ndarray | None = None
    producer: Node | None = field(default=None, repr=False)
    uses: list[tuple[Node, int]] = field(default_factory=list, repr=False)

    @property
    def is_weight(self) -> bool:
        """True if the contents are known."""
        return self.data is not None

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def users(self) -> list[Node]:
        """The nodes that read this value, each once, in order of first use."""
        return list(dict.fromkeys(node for node, _ in self.uses))


@dataclass(eq=False)
class Node:
    """One op. `inputs` holds None where an optional operand is absent."""

    op: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    attrs: dict[str, Attr] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the first output (TPU-MLIR's loc)."""
        return self.outputs[0].name

    @property
    def output(self) -> Value:
        """The first output."""
        return self.outputs[0]

    @property
    def activations(self) -> list[Value]:
        """Inputs that are neither absent nor weights."""
        return [v for v in self.inputs if v is not None and not v.is_weight]

    def weight(self, index: int) -> np.ndarray:
        """Contents of operand `index`.

        Raises
        ------
        GraphError : the operand is absent or computed
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None or value.data is None:
            raise GraphError(f"{self}: operand {index} is not a weight")
        return value.data

    def integer(self, key: str) -> int:
        """An attribute that is a whole number."""
        value = self.attrs[key]
        assert isinstance(value, int), f"{self}: {key} is {value!r}"
        return value

    def number(self, key: str) -> float:
        """An attribute that is a number."""
        value = self.attrs[key]
        assert isinstance(value, int | float), f"{self}: {key} is {value!r}"
        return float(value)

    def flag(self, key: str) -> bool:
        """An attribute that is true or false; absent is false."""
        return bool(self.attrs.get(key, False))

    def text(self, key: str) -> str:
        """An attribute that is a word."""
        value = self.attrs[key]
        assert isinstance(value, str), f"{self}: {key} is {value!r}"
        return value

    def ints(self, key: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """An attribute that is a list of whole numbers; `default` if it is absent or empty."""
        value = self.attrs.get(key) or default
        assert isinstance(value, tuple), f"{self}: {key} is {value!r}"
        return tuple(int(v) for v in value)

    def __str__(self) -> str:
        return f"{self.op} '{self.name}'"
