"""What a lowering rule works with."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.ir import Attr, DType, Graph, Node, QuantType, Value, with_defaults
from tpuc.lowering.ranges import Ranges
from tpuc.numerics.float8 import F8E4M3_MAX
from tpuc.numerics.qparams import choose_qparams
from tpuc.numerics.rounding import round_bf16, round_f16
from tpuc.processors import FLOAT, Processor

__all__ = ["AsF32", "Lowering", "Memo"]

T = TypeVar("T")

_ROUND = {DType.F16: round_f16, DType.BF16: round_bf16}


class AsF32(str):
    """Why a rule does not apply, where the op is to be F32 and not the processor's float type."""


class Memo:
    """What was computed from a weight alone, for graphs that are lowered again and again."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Hashable], tuple[np.ndarray, object]] = {}

    def of(self, weight: np.ndarray, what: Hashable, make: Callable[[], T]) -> T:
        """`make()`, computed once for this array (by identity) and this `what`."""
        key = (id(weight), what)
        if key not in self._known:
            self._known[key] = (weight, make())  # the array is kept: its id stays its own
        return self._known[key][1]  # type: ignore[return-value]


def _cast_name(name: str, types: tuple[DType, DType], user: str) -> str:
    """TPU-MLIR's name of a tensor that is cast for an op."""
    source, target = types
    if target == DType.F8E4M3:
        return f"{name}_{name}{user}_requant"
    if target == DType.F8E5M2:
        return f"{name}_{target}"
    return f"{name}{user}_{target}" + ("_dequant" if source == DType.F8E4M3 else "")


@dataclass
class Lowering:
    """State of one lowering: the graph being built and what became of each Top value.

    Parameters
    ----------
    ranges : Ranges
        After propagation.
    reasons : dict of str to str
        Why an op is not in the build's own mode.
    imported : Ranges
        Before propagation, of the ops that a fused one is made of too.
    rules : mapping of str to rule
        Integer forms of Top ops.
    readers : dict of int to str
        By id of a Top value: the op that its cast to integers is named after, if not its reader.
    asymmetric : bool
        Integers of activations have zero points.
    affine : frozenset of str
        Tensors that have one in any case.
    four_bits : frozenset of str
        Ops that compute with 4-bit numbers.
    marked : frozenset of str
        Those that the calibration table names as such.
    taken_as : dict of int to float
        Scale, by id of a 4-bit Value, that 8-bit ops take it for.
    named_float : function of an op's name
        Whether the quantize table gives it a float type.
    wide : frozenset of str
        MatMuls whose result has 16 bits.
    every : bool
        Every Top tensor is to be there under its own name.
    """

    graph: Graph
    ranges: Ranges
    processor: Processor = FLOAT
    reasons: dict[str, str] = field(default_factory=dict)
    lowered: dict[int, Value] = field(default_factory=dict)
    casts: dict[tuple[int, DType], Value] = field(default_factory=dict)
    every: bool = False
    asymmetric: bool = False
    affine: frozenset[str] = frozenset()
    four_bits: frozenset[str] = frozenset()
    marked: frozenset[str] = frozenset()
    named_float: Callable[[str], bool] = field(default=lambda name: False)
    wide: frozenset[str] = frozenset()
    nibbles: dict[int, Value] = field(default_factory=dict)  # by id of a Top value
    taken_as: dict[int, float] = field(default_factory=dict)
    imported: Ranges = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)  # by id of a Top value that has no op
    memo: Memo = field(default_factory=Memo)
    rules: Mapping[str, Callable[[Lowering, Node], str | None]] = field(default_factory=dict)
    readers: dict[int, str] = field(default_factory=dict)

    # ---- types -------------------------------------------------------------------------------

    def has_range(self, value: Value) -> bool:
        """True if the tensor is calibrated."""
        return value.name in self.ranges

    def qtype(self, value: Value) -> tuple[DType, QuantType]:
        """Integer type of a calibrated Top tensor."""
        affine = self.asymmetric or value.name in self.affine
        return choose_qparams(*self.ranges[value.name], affine)

    def scale(self, value: Value) -> float:
        """Scale of a calibrated Top tensor."""
        return self.qtype(value)[1].scale

    def zero(self, value: Value) -> int:
        """Zero point of a calibrated Top tensor."""
        return self.qtype(value)[1].zero_point

    def step(self, x: Value) -> float:
        """Scale that an 8-bit op takes an integer operand to have."""
        assert x.quant is not None
        return self.taken_as.get(id(x), x.quant.scale)

    # ---- operands ----------------------------------------------------------------------------

    def current(self, value: Value) -> Value:
        """What a Top tensor became."""
        return self.lowered[id(value)]

    def real(self, value: Value) -> Value:
        """What a Top tensor became, as numbers: an input of whole numbers is cast to F32."""
        now = self.current(value)
        whole = now.dtype == DType.SI32 and now.producer is not None and now.producer.op == "Input"
        return self._cast(now, DType.F32, None, "") if whole else now

    def stand_in(self, value: Value, source: Value) -> None:
        """Let what `source` became stand for `value` too; casts of it are named after `value`."""
        self.lowered[id(value)] = self.real(source)
        self.titles[id(value)] = value.name

    def as_int(self, value: Value, user: str) -> Value:
        """The tensor in its integer type, cast if it is float now.

        Raises
        ------
        UnsupportedError : it has no calibrated range
        """
        now = self.real(value)
        if not now.dtype.is_float:
            return now
        title = self.titles.get(id(value), now.name)
        reader = self.readers.get(id(value), user)
        return self._cast(now, *self.int_type(value, user), reader, title)

    def int_type(self, value: Value, user: str) -> tuple[DType, QuantType]:
        """Type of `as_int(value, user)`; raises as it does."""
        now = self.real(value)
        if now.quant is not None:
            return now.dtype, now.quant
        if not self.has_range(value):
            raise self._uncalibrated(value, user)
        return self.qtype(value)

    def _uncalibrated(self, value: Value, user: str) -> UnsupportedError:
        return UnsupportedError(
            f"'{user}': operand '{value.name}' has no calibration entry. "
            f"Hint: recalibrate, or give '{user}' a float type in quantize.table"
        )

    def as_float(self, value: Value, dtype: DType, user: str) -> Value:
        """The tensor in a float type."""
        if value.is_weight:
            return self.float_weight(value, dtype)
        now = self.real(value)
        title = self.titles.get(id(value), now.name)
        return now if now.dtype == dtype else self._cast(now, dtype, None, user, title)

    def as_float8(self, value: Value, dtype: DType, user: str) -> Value:
        """The tensor in an 8-bit float type; raises as `float8_quant`."""
        now = self.real(value)
        if now.dtype == dtype:
            return now
        return self.narrow(value, dtype, self.float8_quant(value, dtype, user), user)

    def float8_quant(self, value: Value, dtype: DType, user: str) -> QuantType | None:
        """Scale of a Top tensor in F8E4M3; F8E5M2 has none.

        Raises
        ------
        UnsupportedError : it has no calibrated range
        """
        if dtype == DType.F8E5M2:
            return None
        if not self.has_range(value):
            raise self._uncalibrated(value, user)
        return QuantType(self.ranges[value.name][1] / F8E4M3_MAX)

    def narrow(self, value: Value, dtype: DType, quant: QuantType | None, user: str) -> Value:
        """A float tensor cast to a type of the caller's choice."""
        now = self.real(value)
        return self._cast(now, dtype, quant, user, self.titles.get(id(value), now.name))

    def recast(self, value: Value, dtype: DType, user: str) -> Value:
        """A tensor of Graph[tpu] as plain integers of another type."""
        return self._cast(value, dtype, QuantType(1.0), user)

    def _cast(
        self, value: Value, dtype: DType, quant: QuantType | None, user: str, title: str = ""
    ) -> Value:
        key = (id(value), dtype)
        if key not in self.casts:
            name = _cast_name(title or value.name, (value.dtype, dtype), user)
            out = Value(name, value.shape, dtype, quant)
            self.graph.add("Cast", [value], [out], with_defaults("Cast", self._arithmetic(), "tpu"))
            self.casts[key] = out
        return self.casts[key]

    def _arithmetic(self) -> dict[str, Attr]:
        short = self.processor.casts == "bf16"
        return {"through": "BF16", "round_mode": "HalfToEven"} if short else {}

    def float_weight(self, value: Value, dtype: DType) -> Value:
        """A weight rounded to a float type."""
        assert value.data is not None
        if dtype == DType.F32:
            return Value(value.name, value.shape, dtype, data=value.data)
        weight = value.data
        data = self.memo.of(weight, dtype, lambda: _ROUND[dtype](weight))
        return Value(f"{value.name}_{dtype}", value.shape, dtype, data=data)

    def weight(
        self, name: str, data: np.ndarray, dtype: DType, quant: QuantType | None = None
    ) -> Value:
        """An integer (or table) weight."""
        array = np.ascontiguousarray(data, dtype.numpy)
        return Value(name, array.shape, dtype, quant, array)

    # ---- results -----------------------------------------------------------------------------

    def emit_int(
        self,
        node: Node,
        op: str,
        inputs: Sequence[Value | None],
        attrs: Mapping[str, Attr] | None = None,
        like: Value | None = None,
    ) -> Value:
        """Add an integer op that stands for a Top node; its type is the range's, or `like`'s."""
        if like is not None:
            dtype, quant = like.dtype, like.quant
        else:
            dtype, quant = self.qtype(node.output)
        return self._emit(node, op, inputs, attrs, dtype, quant)

    def emit_float(
        self,
        node: Node,
        op: str,
        inputs: Sequence[Value | None],
        dtype: DType,
        attrs: Mapping[str, Attr] | None = None,
        quant: QuantType | None = None,
    ) -> Value:
        """Add a float op that stands for a Top node; only F8E4M3 has a `quant`."""
        return self._emit(node, op, inputs, attrs, dtype, quant)

    def _emit(
        self,
        node: Node,
        op: str,
        inputs: Sequence[Value | None],
        attrs: Mapping[str, Attr] | None,
        dtype: DType,
        quant: QuantType | None,
    ) -> Value:
        outs = [Value(v.name, v.shape, dtype, quant) for v in node.outputs]
        self.graph.add(op, inputs, outs, with_defaults(op, attrs or {}, "tpu"))
        for top, out in zip(node.outputs, outs):
            self.lowered[id(top)] = out
        return outs[0]

    def helper(self, name: str, op: str, inputs: Sequence[Value | None], out: Value,
               attrs: Mapping[str, Attr] | None = None) -> Value:  # fmt: skip
        """Add an op that stands for no Top node."""
        out.name = name
        self.graph.add(op, inputs, [out], with_defaults(op, attrs or {}, "tpu"))
        return out
