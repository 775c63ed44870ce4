"""What a converter sees of the model: operands, constants, attributes, and a way to emit ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.importer import Importer
from tpuc.ir import Value

__all__ = ["Context", "OnnxNode"]


@dataclass(frozen=True)
class OnnxNode:
    """One ONNX node, its attributes as plain Python values."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the op made from it: TPU-MLIR's `<output tensor>_<operator>`, but for Ceil."""
        return self.outputs[0] if self.op_type == "Ceil" else f"{self.outputs[0]}_{self.op_type}"

    def has(self, index: int) -> bool:
        """True if the optional input is given."""
        return index < len(self.inputs) and self.inputs[index] != ""

    def __str__(self) -> str:
        return f"{self.op_type} '{self.outputs[0]}'"


@dataclass
class Context(Importer[OnnxNode]):
    """State of one import.

    Parameters
    ----------
    kinds : dict of str to int
        ONNX's element types of tensors, where they are known.
    """

    opset: int
    constants: dict[str, np.ndarray]
    kinds: dict[str, int] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    makers: dict[int, OnnxNode] = field(default_factory=dict)  # by id of the value
    aliases: dict[str, Value] = field(default_factory=dict)

    def is_constant(self, node: OnnxNode, index: int) -> bool:
        """True if the input's contents are known."""
        return node.has(index) and node.inputs[index] in self.constants

    def constant(self, node: OnnxNode, index: int) -> np.ndarray:
        """Contents of an input.

        Raises
        ------
        UnsupportedError : it is computed from the graph's inputs
        """
        if not self.is_constant(node, index):
            raise UnsupportedError(
                f"{node}: input {index} '{node.inputs[index]}' must be constant; "
                "Hint: simplify the model so that shapes and constants are folded"
            )
        return self.constants[node.inputs[index]]

    def scalar(self, node: OnnxNode, index: int) -> float | None:
        """The number, if the input is a constant with one element."""
        if not self.is_constant(node, index):
            return None
        data = self.constants[node.inputs[index]]
        return float(data.reshape(-1)[0]) if data.size == 1 else None

    def ints(self, node: OnnxNode, attr: str, index: int | None = None) -> tuple[int, ...] | None:
        """Integers that older opsets give as an attribute and newer ones as an input."""
        if attr in node.attrs:
            return tuple(int(v) for v in node.attrs[attr])
        if index is not None and node.has(index):
            return tuple(int(v) for v in self.constant(node, index).reshape(-1))
        return None

    def value(self, node: OnnxNode, index: int = 0) -> Value:
        """An input as a value: an activation, or a float32 weight."""
        name = node.inputs[index]
        if name in self.values:
            return self.values[name]
        if name in self.constants:
            return self.weight(name, self.constants[name])
        raise UnsupportedError(f"{node}: input '{name}' has no producer")

    def operands(self, node: OnnxNode) -> list[Value]:
        """All inputs, weights with as many dimensions as the largest input, as in TPU-MLIR."""
        given = [self.value(node, i) for i in range(len(node.inputs))]
        rank = max(len(v.shape) for v in given)
        return [self._of_rank(v, rank) for v in given]

    def _of_rank(self, value: Value, rank: int) -> Value:
        if value.data is None or value.size == 1 or len(value.shape) == rank:
            return value
        shape = (1,) * (rank - len(value.shape)) + value.shape
        return self.weight(f"{value.name}_{rank}d", value.data.reshape(shape))

    def bind(self, node: OnnxNode, value: Value, named: bool) -> None:
        """Let a value stand for the node's first output, unless it has a name of its own."""
        if not named:
            self.values[node.outputs[0]] = value
            self.makers[id(value)] = node

    def alias(self, node: OnnxNode, value: Value) -> None:
        """Let the node's output be an existing value."""
        self.values[node.outputs[0]] = self.aliases[node.outputs[0]] = value

    def name_outputs(self, outputs: Sequence[str]) -> None:
        """Give the op before a removed one its name if that was an output of the model.

        ONNX simplifiers keep the names of outputs, and TPU-MLIR names the ops after simplifying.
        """
        for name in outputs:
            value = self.aliases.get(name)
            maker = self.makers.get(id(value)) if value is not None else None
            if value is not None and maker is not None and maker.outputs[0] not in outputs:
                value.name = f"{name}_{maker.op_type}"
                self.makers.pop(id(value))
