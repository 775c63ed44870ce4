"""What a row of an op table says.

A row names the operands and attributes of an op (kinds and defaults as in TPU-MLIR, so that the
text form is interchangeable) and whether it may absorb a following Relu. The rows themselves are in
`top_ops.py` and `tpu_ops.py`, the look-ups in `ops.py`, the shape rules in `shapes/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tpuc.ir.node import Attr

__all__ = ["CONV", "RELU", "REQUIRED", "WINDOW", "A", "OpSpec", "Required", "row", "same", "table"]


class Required:
    """Type of the marker REQUIRED."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = Required()
"""Default of an attribute that must be given."""


@dataclass(frozen=True)
class A:
    """One attribute.

    Parameters
    ----------
    kind : {'bool', 'i64', 'i32', 'si32', 'f64', 'str', 'i64[]', 'f64[]', 'str[]'}
        How MLIR text writes it; Python side: bool, int, float, str or a tuple of them.
    default : Attr, None or REQUIRED
        None: optional, left out of the text when not set.
    """

    kind: str
    default: Attr | None | Required = REQUIRED


@dataclass(frozen=True)
class OpSpec:
    """One row.

    Parameters
    ----------
    operands : tuple of str
        Names in order; a trailing `?` marks one that may be None, `*` any number (last only).
    attrs : mapping of str to A
    fuses_relu : bool
        Has `do_relu` and `relu_limit` and may absorb a following Relu.
    results : int
        Number of outputs; -1 for any.
    keeps_shape : bool
        The output has the shape of the first operand.
    """

    name: str
    operands: tuple[str, ...]
    attrs: Mapping[str, A] = field(default_factory=dict)
    fuses_relu: bool = False
    results: int = 1
    keeps_shape: bool = False

    def arity_error(self, given: int) -> str | None:
        """Say what is wrong with `given` operands, or None."""
        required, unbounded = _bounds(self.operands)
        if given < required or (given > len(self.operands) and not unbounded):
            return f"has {given} operands; expected ({', '.join(self.operands)})"
        return None


@cache
def _bounds(operands: tuple[str, ...]) -> tuple[int, bool]:
    """Least number of operands, and whether there may be any number more."""
    required = sum(not o.endswith(("?", "*")) for o in operands)
    return required, any(o.endswith("*") for o in operands)


RELU = {"do_relu": A("bool", False), "relu_limit": A("f64", -1.0)}
WINDOW = {
    "kernel_shape": A("i64[]"),
    "strides": A("i64[]"),
    "pads": A("i64[]"),  # top, left, bottom, right
}
CONV = {**WINDOW, "dilations": A("i64[]", None), "group": A("i64", 1)}


def row(
    name: str,
    operands: str,
    attrs: Mapping[str, A] | None = None,
    fuses_relu: bool = False,
    results: int = 1,
) -> OpSpec:
    """Make a row; attributes are kept in alphabetical order, as MLIR prints them."""
    every = dict(sorted({**(attrs or {}), **(RELU if fuses_relu else {})}.items()))
    return OpSpec(name, tuple(operands.split()), every, fuses_relu, results)


def same(
    name: str,
    operands: str = "input",
    attrs: Mapping[str, A] | None = None,
    fuses_relu: bool = False,
) -> OpSpec:
    """Make the row of an op whose output has the shape of its first operand."""
    return replace(row(name, operands, attrs, fuses_relu), keeps_shape=True)


def table(rows: list[OpSpec]) -> dict[str, OpSpec]:
    """Index rows by op name."""
    return {r.name: r for r in rows}
