"""Look-ups in the op tables of both dialects."""

from __future__ import annotations

from collections.abc import Mapping

from tpuc.errors import GraphError
from tpuc.ir.node import Attr
from tpuc.ir.spec import OpSpec, Required
from tpuc.ir.top_ops import TOP_OPS
from tpuc.ir.tpu_ops import TPU_OPS

__all__ = ["TOP_OPS", "TPU_OPS", "spec_of", "with_defaults"]


def spec_of(op: str, dialect: str) -> OpSpec:
    """Row of an op.

    Raises
    ------
    GraphError : the dialect has no such op
    """
    table = TOP_OPS if dialect == "top" else TPU_OPS
    if op not in table:
        raise GraphError(f"{op}: no such op in dialect '{dialect}'")
    return table[op]


def with_defaults(op: str, attrs: Mapping[str, Attr], dialect: str = "top") -> dict[str, Attr]:
    """Complete the attributes of a new op from its row.

    Raises
    ------
    GraphError : an attribute is unknown, or a required one is missing
    """
    spec = spec_of(op, dialect)
    if not attrs.keys() <= spec.attrs.keys():
        unknown = sorted(set(attrs) - set(spec.attrs))
        raise GraphError(f"{op}: unknown attribute {unknown[0]!r}; expected {sorted(spec.attrs)}")
    full: dict[str, Attr] = {}
    for key, row in spec.attrs.items():
        if key in attrs:
            full[key] = attrs[key]
        elif isinstance(row.default, Required):
            raise GraphError(f"{op}: attribute {key!r} is missing")
        elif row.default is not None:
            full[key] = row.default
    return full
