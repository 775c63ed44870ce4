"""What the converters of every format share: weights, and a way to emit ops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from tpuc.errors import GraphError, ModelError, UnsupportedError
from tpuc.ir import Attr, Graph, Value, with_defaults
from tpuc.ir.shapes import infer_shapes

__all__ = ["Importer", "SourceNode"]


class SourceNode(Protocol):
    """A node of the model that is read; its text form is for error messages."""

    @property
    def name(self) -> str:
        """Name of the op made from it."""


N = TypeVar("N", bound=SourceNode)


@dataclass
class Importer(ABC, Generic[N]):
    """State of one import.

    Parameters
    ----------
    graph : Graph
        What has been made so far.
    weights : dict
        Weights by name.
    """

    graph: Graph
    weights: dict[str, Value] = field(default_factory=dict, kw_only=True)

    @abstractmethod
    def bind(self, node: N, value: Value, named: bool) -> None:
        """Let a value stand for the node's first output (`named`: it has a name of its own)."""

    def weight(self, name: str, data: np.ndarray) -> Value:
        """A float32 weight, one value per name.

        Raises
        ------
        ModelError : it has NaN or infinite values
        """
        if name not in self.weights:
            array = np.ascontiguousarray(data, np.float32)
            if not np.isfinite(array).all():
                bad = int(array.size - np.isfinite(array).sum())
                raise ModelError(
                    f"weight '{name}': {bad} of {array.size} values are NaN or infinite"
                )
            array = array.reshape(1) if array.ndim == 0 else array
            self.weights[name] = Value(name, array.shape, data=array)
        return self.weights[name]

    def emit(
        self,
        node: N,
        op: str,
        inputs: Sequence[Value | None],
        attrs: Mapping[str, Attr] | None = None,
        name: str | None = None,
    ) -> Value:
        """Add an op with one output; it stands for the node's first output."""
        (out,) = self.emit_many(node, op, inputs, attrs or {}, [name or node.name])
        self.bind(node, out, name is not None)
        return out

    def emit_many(
        self,
        node: N,
        op: str,
        inputs: Sequence[Value | None],
        attrs: Mapping[str, Attr],
        names: Sequence[str],
    ) -> list[Value]:
        """Add an op with one output a name and return them; they stand for nothing yet.

        Raises
        ------
        UnsupportedError : operands do not fit together, or a result is empty
        """
        outputs = [Value(name, ()) for name in names]
        made = self.graph.add(op, inputs, outputs, with_defaults(op, attrs))
        try:
            shapes = infer_shapes(made)
        except GraphError as error:
            raise UnsupportedError(f"{node}: {error}") from error
        for out, shape in zip(outputs, shapes):
            if 0 in shape:
                raise UnsupportedError(f"{node}: its result is empty, {shape}")
            out.shape = shape
        return outputs
