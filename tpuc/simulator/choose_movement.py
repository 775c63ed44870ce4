"""C kernels of ops that only move numbers, for bytes and floats alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.ir import DType, Node, Value
from tpuc.kernels import _float_rows, _int8
from tpuc.kernels._int8 import View
from tpuc.kernels.float_conv import end_of
from tpuc.kernels.image import Need, layout_of, zero_of
from tpuc.kernels.requant_words import Unfit
from tpuc.kernels.strided import Moves, as_array, copying
from tpuc.simulator.image_kernel import ImageKernel, planned
from tpuc.simulator.movement import MOVES, Pairs
from tpuc.simulator.plan import alias_of

__all__ = ["choose_join", "choose_move"]


def _moves(pairs: Pairs) -> Moves:
    """The copies of some pairs."""
    found = [copying(np.asarray(source), target) for source, target in pairs]
    return Moves(*(m for m in found if m is not None))


def _scratch(value: Value) -> View:
    """An image of one value, of its own."""
    layout = layout_of(value, Need())
    return layout.view(np.empty(layout.size, np.uint8), 0)


def _relu(node: Node) -> Callable[[View, int], None] | None:
    """What limits the result in place."""
    if not node.attrs.get("do_relu"):
        return None
    if node.output.dtype.is_float:
        limit = node.number("relu_limit")
        end = end_of(DType.F32, 0.0, limit if limit > 0 else np.inf)
        return lambda image, threads: _float_rows.copy(end, image, image, 0, threads)
    stored = np.arange(256).clip(min=zero_of(node.output)).astype(np.uint8)
    table = _int8.Table(stored)
    return lambda image, threads: table.run(image, image, threads)


def choose_move(node: Node) -> ImageKernel:
    """Any op of `MOVES`.

    Raises
    ------
    Unfit : it changes numbers too, or its views are no strided ones
    """
    source, result = node.inputs[0], node.output
    if source is None or source.is_weight or len(node.activations) != 1:
        raise Unfit("its operand is no single computed tensor")
    if source.dtype != result.dtype:
        raise Unfit(f"it turns {source.dtype} into {result.dtype}")
    if alias_of(node) is not None:
        raise Unfit("another name of its operand")
    pairs, relu = MOVES[node.op], _relu(node)

    def plan(sources: Sequence[View], target: View) -> Callable[[int], None]:
        x, y = as_array(sources[0], source.shape), as_array(target, result.shape)
        moves = _moves(pairs(node, x, y))

        def run(threads: int) -> None:
            moves.run(threads)
            if relu is not None:
                relu(target, threads)

        return run

    plan([_scratch(source)], _scratch(result))  # raises what there is to raise
    return planned(plan, (source,))


def choose_join(node: Node) -> ImageKernel:
    """Concat along any axis but the batch.

    Raises
    ------
    Unfit : it changes numbers too, or joins constants or batches
    """
    inputs, result = tuple(node.activations), node.output
    axis = node.integer("axis") % len(result.shape)
    if len(inputs) != len(node.inputs):
        raise Unfit("an operand is constant")
    kinds = {(v.dtype, zero_of(v)) for v in (*inputs, result)}
    if axis == 0 or len(kinds) > 1 or node.attrs.get("do_relu"):
        raise Unfit("it joins the batch or changes numbers")
    starts = [int(s) for s in np.cumsum([0, *(v.shape[axis] for v in inputs)])]

    def plan(sources: Sequence[View], target: View) -> Callable[[int], None]:
        y = as_array(target, result.shape).swapaxes(0, axis)
        places = [y[a:b].swapaxes(0, axis) for a, b in zip(starts, starts[1:])]
        arrays = [as_array(s, v.shape) for s, v in zip(sources, inputs)]
        return _moves(list(zip(arrays, places))).run

    return planned(plan, inputs)
