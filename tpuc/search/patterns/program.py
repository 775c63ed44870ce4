"""A graph as the matcher sees it: ops in program order, under the names of table rows.

An op with one result is called as that result. An op with several results (TopK) has a name of its
own that no consumer reads; consumers read its results, which have users but neither type nor
producers. The rules depend on that, as TPU-MLIR's do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tpuc.ir import Graph

__all__ = ["Op", "Program"]


@dataclass(frozen=True)
class Op:
    """One op.

    Parameters
    ----------
    name : str
        Of its result; of all results, joined, if it has several.
    type : str
        Top op, without prefix.
    results : tuple of str
    operands : tuple of str
        Activations that it reads, in order; one that it reads twice stands twice.
    """

    name: str
    type: str
    results: tuple[str, ...]
    operands: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """All ops of a network, in program order, and who reads whom."""

    ops: tuple[Op, ...]

    @classmethod
    def of(cls, graph: Graph) -> Program:
        """View of a Graph[top]."""
        ops = []
        for node in graph.nodes:
            results = tuple(v.name for v in node.outputs)
            operands = tuple(v.name for v in node.activations)
            ops.append(Op(", ".join(results), node.op, results, operands))
        return cls(tuple(ops))

    @cached_property
    def _by_name(self) -> dict[str, Op]:
        return {op.name: op for op in self.ops}

    @cached_property
    def _users(self) -> dict[str, list[str]]:
        users: dict[str, list[str]] = {}
        for op in self.ops:
            for operand in dict.fromkeys(op.operands):
                users.setdefault(operand, []).extend(op.results)
        return users

    @cached_property
    def _op_of(self) -> dict[str, str]:
        return {r: op.results[0] for op in self.ops for r in (*op.results, op.name)}

    @cached_property
    def joined(self) -> str:
        """All types as one word: `top.Inputtop.Convtop.Relu`."""
        return "".join(f"top.{op.type}" for op in self.ops)

    def type(self, name: str) -> str:
        """Type of an op; empty for one of several results."""
        op = self._by_name.get(name)
        return op.type if op else ""

    def types(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Types of several ops."""
        return tuple(self.type(n) for n in names)

    def producers(self, name: str) -> tuple[str, ...]:
        """Activations that an op reads; nothing for one of several results."""
        op = self._by_name.get(name)
        return op.operands if op else ()

    def users(self, name: str) -> tuple[str, ...]:
        """Results of the ops that read a tensor, in program order."""
        return tuple(self._users.get(name, ()))

    def single_users(self, name: str) -> tuple[str, ...]:
        """Users that have one result."""
        return tuple(u for u in self.users(name) if self.type(u))

    def results(self, name: str) -> tuple[str, ...]:
        """Row names of an op: its results, or the result that `name` is."""
        op = self._by_name.get(name)
        return op.results if op else (name,)

    def op_name(self, name: str) -> str:
        """Name that the graph gives to the op that makes `name`: that of its first result."""
        return self._op_of.get(name, name)

    def first(self, type_: str) -> int:
        """Index of the first op whose type begins with `type_`; number of ops if there is none."""
        found = (i for i, op in enumerate(self.ops) if op.type.startswith(type_))
        return next(found, len(self.ops))
