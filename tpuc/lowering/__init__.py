"""Lowering: Graph[top] and tables to Graph[tpu].

    fold Scale into Conv -> import ranges -> propagate them -> one rule per op -> casts where types
    meet

`lower` is the whole room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from tpuc.artifacts import CalibrationTable, Choice, QuantizeTable
from tpuc.errors import ConfigError, TableError
from tpuc.ir import DType, Graph, Node, verify
from tpuc.lowering.context import Lowering, Memo
from tpuc.lowering.four_bit_ops import four_bit_ops, rows_of
from tpuc.lowering.fuse_attention import fuse_attention
from tpuc.lowering.lower_node import ALWAYS_F32, FLOAT_TYPES, lower_node
from tpuc.lowering.merge_operands import merge_operands
from tpuc.lowering.patches import patches_to_products
from tpuc.lowering.prepare import fold_scales
from tpuc.lowering.propagate import propagate
from tpuc.lowering.ranges import (
    Ranges,
    affine_tensors,
    import_float8_ranges,
    import_ranges,
)
from tpuc.lowering.rules import (
    FLOAT8,
    WEIGHT_ONLY,
    Groups,
    int8_rules,
    lower_four_bits,
    lower_weight_only,
    name_shared_casts,
    reading_nibbles,
)
from tpuc.lowering.split_products import split_products
from tpuc.lowering.wide_products import wide_products
from tpuc.processors import Processor
from tpuc.progress import steps

__all__ = [
    "ALWAYS_F32",
    "Groups",
    "Lowered",
    "Lowerer",
    "Memo",
    "check_float8",
    "float_twin",
    "lower",
]


@dataclass(frozen=True)
class Lowered:
    """Result of lowering.

    Parameters
    ----------
    graph : Graph
        Dialect `tpu`.
    reasons : dict of str to str
        Ops that are not in the build's own mode, and why.
    """

    graph: Graph
    reasons: dict[str, str] = field(default_factory=dict)


def lower(
    graph: Graph,
    table: CalibrationTable | None,
    processor: Processor,
    mode: str = "INT8",
    qtable: QuantizeTable | None = None,
    asymmetric: bool = False,
) -> Lowered:
    """Lower a canonical graph once; parameters and errors as `Lowerer.lower`."""
    return Lowerer(graph, processor).lower(table, mode, qtable, asymmetric)


def float_twin(graph: Graph) -> Graph:
    """The network in F32 with every tensor of the canonical graph under its own name.

    Unlike an F32 build, nothing is folded away: this is how the float network itself is run.
    """
    verify(graph, "top")
    ctx = Lowering(Graph(graph.name, "tpu", {**graph.attrs, "mode": "F32"}), {}, every=True)
    for node in graph.nodes:
        lower_node(ctx, node, "F32", DType.F32)
    ctx.graph.outputs = [ctx.current(v) for v in graph.outputs]
    return verify(ctx.graph, "tpu")


class Lowerer:
    """Lowers one canonical graph, with as many tables as one likes.

    What depends on the weights alone (rounded and quantized filters) is computed once.

    Parameters
    ----------
    graph : Graph
        Dialect `top`; must not change afterwards.
    memo : Memo, optional
        What other graphs with mostly the same weights computed; filled further.
    groups : Groups, optional
        Weights that share a scale, in weight-only types.
    """

    def __init__(
        self,
        graph: Graph,
        processor: Processor,
        memo: Memo | None = None,
        groups: Groups | None = None,
    ) -> None:
        self._groups = groups or Groups()
        self._known = {v.name for v in verify(graph, "top").values()}
        self._graph = fold_scales(graph)
        self._origins: dict[str, str] = {}
        patches_to_products(self._graph, processor, self._origins)
        split_products(self._graph, self._origins)
        merge_operands(self._graph)
        self._fused = fuse_attention(self._graph)
        self._processor = processor
        self._memo = memo or Memo()

    def lower(
        self,
        table: CalibrationTable | None,
        mode: str = "INT8",
        qtable: QuantizeTable | None = None,
        asymmetric: bool = False,
    ) -> Lowered:
        """Lower.

        Parameters
        ----------
        table : CalibrationTable, optional
            Needed for INT8, INT4 and F8E4M3. Ops that it does not name stay F32.
        mode : str
            INT8, INT4, F8E4M3, F8E5M2, F32, F16, BF16, W8F16, W8BF16, W4F16 or W4BF16.
            Type of every op that `qtable` does not name.
        asymmetric : bool
            8-bit activations have zero points, and the ranges that the table gives as min and max.

        Raises
        ------
        ConfigError : the processor lacks the mode, or INT8 without a table
        TableError : the qtable names an op that the graph does not have
        """
        processor = self._processor
        choices = qtable.choices if qtable else {}
        _require(processor, table, [mode, *(c.mode for c in choices.values())], asymmetric)
        self._check_names(choices)
        graph = self._fused
        out = Graph(graph.name, "tpu", {**graph.attrs, "processor": processor.name, "mode": mode})
        four = four_bit_ops(graph, table, lambda n: self._mode(choices, n, mode))
        ctx = self._begin(graph, out, table, asymmetric, four)
        ctx.named_float = self._named_float(choices, mode)
        ctx.wide = wide_products(graph, processor, ctx.named_float)
        for node in steps(graph.nodes, "lowering"):
            named = choices.get(self._origins.get(node.name, node.name))
            chosen = self._mode(choices, node, mode)
            if named is not None and chosen != mode:
                ctx.reasons[node.name] = named.reason or "set by the quantize table"
            _note_inner(ctx, node, choices)
            if self._weight_only(ctx, node, chosen):
                continue
            if node.name in four:
                lower_four_bits(ctx, node, graph, partial(rows_of, table, self._origins))
                continue
            chosen = "INT8" if chosen == "INT4" else chosen
            chosen = WEIGHT_ONLY[chosen][1].name if chosen in WEIGHT_ONLY else chosen
            with reading_nibbles(ctx, node):
                lower_node(ctx, node, chosen, FLOAT_TYPES[processor.float_type])
        for value in graph.outputs:
            final = ctx.as_float(value, DType.F32, "")
            out.outputs.append(final)
        name_shared_casts(out)
        out.sort()
        return Lowered(verify(out, "tpu"), ctx.reasons)

    def _begin(
        self,
        graph: Graph,
        out: Graph,
        table: CalibrationTable | None,
        asymmetric: bool,
        four_bits: frozenset[str],
    ) -> Lowering:
        mode = str(out.attrs["mode"])
        imported = self._imported(graph, table, mode, asymmetric, four_bits)
        ranges = propagate(graph, imported, self._processor)
        imported |= self._imported(self._graph, table, mode, asymmetric, four_bits)
        ctx = Lowering(out, ranges, self._processor, memo=self._memo, imported=imported)
        ctx.asymmetric, ctx.four_bits = asymmetric, four_bits
        ctx.marked = frozenset(table.int4_ops) if table else frozenset()
        ctx.affine = affine_tensors(graph, table) if table else frozenset()
        ctx.rules = int8_rules(self._processor)
        return ctx

    def _weight_only(self, ctx: Lowering, node: Node, mode: str) -> bool:
        """Lower the node with weights alone quantized, if the mode says so and it can be."""
        if mode not in WEIGHT_ONLY or node.op != "MatMul":
            return False
        reason = lower_weight_only(ctx, node, mode, self._groups)
        if reason is not None:
            ctx.reasons[node.name] = reason
        return reason is None

    def _mode(self, choices: Mapping[str, Choice], node: Node, mode: str) -> str:
        named = choices.get(self._origins.get(node.name, node.name))
        return mode if named is None else named.mode

    def _named_float(self, choices: Mapping[str, Choice], mode: str) -> Callable[[str], bool]:
        floats = {k for k, v in choices.items() if v.mode in FLOAT_TYPES and v.mode != mode}
        return lambda name: self._origins.get(name, name) in floats

    def _imported(
        self,
        graph: Graph,
        table: CalibrationTable | None,
        mode: str,
        asymmetric: bool,
        four: frozenset[str],
    ) -> Ranges:
        if table is None:
            return {}
        if mode in FLOAT8:
            return import_float8_ranges(graph, table, self._origins)
        unsigned = self._processor.unsigned
        return import_ranges(graph, table, self._origins, asymmetric, unsigned, four)

    def _check_names(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._known:
                raise TableError(f"quantize table: the model has no op '{name}'")


def check_float8(modes: list[str]) -> None:
    """Check that 8-bit floats, if any, are the type of the whole build, the first of `modes`.

    Raises
    ------
    ConfigError : a quantize table asks for them in another build
    """
    others = [m for m in modes if m in FLOAT8 and m != modes[0]]
    if others:
        raise ConfigError(
            f"quantize table: {others[0]} in a build of {modes[0]}; 8-bit floats are the type of a "
            f"whole build. Hint: quantize.mode={others[0]}"
        )


def _require(
    processor: Processor, table: CalibrationTable | None, modes: list[str], asymmetric: bool
) -> None:
    """Check that the processor has what is asked for; raises as `Lowerer.lower`."""
    for mode in modes:
        processor.require(mode)
    check_float8(modes)
    if modes[0] in ("INT8", "INT4", "F8E4M3") and table is None:
        raise ConfigError(f"quantize.mode={modes[0]} needs a calibration table")
    if asymmetric:
        processor.require_zero_points("quantize.asymmetric")
    if table is not None and table.asym_ops:
        processor.require_zero_points("calibration table, section #asym_op")


def _note_inner(ctx: Lowering, node: Node, choices: Mapping[str, Choice]) -> None:
    """Say where the table names ops that became part of another one."""
    inner = [n for n in node.attrs.get("scale_names", ()) if n in choices]  # type: ignore[union-attr]
    if inner:
        ctx.reasons[node.name] = (
            f"attention is one op, of the type of its own row; the table's row for "
            f"'{inner[0]}', which is inside, has no effect"
        )
