"""The op tables: one row per op of each dialect.

A row says which operands and attributes an op has (names, kinds and defaults as in TPU-MLIR's Top dialect, so that the
text form is interchangeable), and whether it may absorb a following Relu. `TOP_OPS` and `TPU_OPS` are all that
`verify`, the MLIR text form and the importers know of an op's interface; `shapes.py` holds the shape rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tpuc.errors import GraphError
from tpuc.ir.graph import Attr

__all__ = ["REQUIRED", "TOP_OPS", "TPU_OPS", "A", "OpSpec", "spec_of", "with_defaults"]


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()
"""Default of an attribute that must be given."""


@dataclass(frozen=True)
class A:
    """One attribute.

    Parameters
    ----------
    kind : {'bool', 'i64', 'si32', 'f64', 'str', 'i64[]', 'f64[]', 'str[]'}
        How MLIR text writes it; Python side: bool, int, float, str or a tuple of them.
    default : Attr, None or REQUIRED
        None: optional, left out of the text when not set.
    """

    kind: str
    default: Attr | None | _Required = REQUIRED


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
    """

    name: str
    operands: tuple[str, ...]
    attrs: Mapping[str, A] = field(default_factory=dict)
    fuses_relu: bool = False
    results: int = 1

    def arity_error(self, given: int) -> str | None:
        """Say what is wrong with `given` operands, or None."""
        required = sum(not o.endswith(("?", "*")) for o in self.operands)
        unbounded = any(o.endswith("*") for o in self.operands)
        if given < required or (given > len(self.operands) and not unbounded):
            return f"has {given} operands; expected ({', '.join(self.operands)})"
        return None


_RELU = {"do_relu": A("bool", False), "relu_limit": A("f64", -1.0)}
_WINDOW = {
    "kernel_shape": A("i64[]"),
    "strides": A("i64[]"),
    "pads": A("i64[]"),  # top, left, bottom, right
}


def _top(
    name: str, operands: str, fuses_relu: bool = False, results: int = 1, **attrs: A
) -> OpSpec:
    every = dict(sorted({**attrs, **(_RELU if fuses_relu else {})}.items()))
    return OpSpec(name, tuple(operands.split()), every, fuses_relu, results)


_TOP_ROWS = [
    _top(
        "Input",
        "",
        channel_format=A("str", None),
        do_preprocess=A("bool", False),
        keep_aspect_ratio=A("bool", None),
        keep_ratio_mode=A("str", None),
        mean=A("f64[]", None),
        pad_type=A("str", None),
        pad_value=A("i64", None),
        pixel_format=A("str", None),
        resize_dims=A("i64[]", None),
        scale=A("f64[]", None),
        yuv_type=A("str", None),
    ),
    _top(
        "Conv",
        "input filter bias?",
        True,
        **_WINDOW,
        dilations=A("i64[]", None),
        group=A("i64", 1),
        dynweight_reorderd=A("bool", False),
        weight_is_coeff=A("i64", 1),
    ),
    _top(
        "MatMul",
        "input right bias?",
        True,
        right_transpose=A("bool", False),
        left_transpose=A("bool", False),
        output_transpose=A("bool", False),
        hdim_is_batch=A("bool", False),
        keep_dims=A("bool", True),
        dq_type=A("str", "NONE"),
        is_lora=A("bool", False),
        q_group_size=A("i64", 0),
    ),
    _top("Add", "inputs*", True, is_scalar=A("bool", False), coeff=A("f64[]", None)),
    _top("Relu", "input", relu_limit=A("f64", -1.0)),
    _top("Reshape", "input", shape=A("i64[]", None), flatten_start_dim=A("i64", -1)),
    _top(
        "AvgPool",
        "input",
        True,
        **_WINDOW,
        count_include_pad=A("bool", False),
        is_adaptive=A("bool", False),
        keepdims=A("bool", True),
        pad_value=A("i64", 0),
        round_mode=A("str", "HalfAwayFromZero"),
        first_round_mode=A("str", "HalfAwayFromZero"),
    ),
]

TOP_OPS: dict[str, OpSpec] = {row.name: row for row in _TOP_ROWS}
"""Rows of Graph[top]."""

TPU_OPS: dict[str, OpSpec] = {}
"""Rows of Graph[tpu]."""


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
    unknown = sorted(set(attrs) - set(spec.attrs))
    if unknown:
        raise GraphError(f"{op}: unknown attribute {unknown[0]!r}; expected {sorted(spec.attrs)}")
    full: dict[str, Attr] = {}
    for key, row in spec.attrs.items():
        if key in attrs:
            full[key] = attrs[key]
        elif isinstance(row.default, _Required):
            raise GraphError(f"{op}: attribute {key!r} is missing")
        elif row.default is not None:
            full[key] = row.default
    return full
