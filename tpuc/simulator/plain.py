"""Ops that run on C kernels or numpy over plain arrays, where images would only be in the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.errors import DataError
from tpuc.ir import DType, Node
from tpuc.kernels import _attention  # type: ignore[attr-defined]
from tpuc.kernels._float import FloatView
from tpuc.kernels._int8 import View
from tpuc.kernels.attention import AttentionKernel, HeadSpec, pack_attention, words_of
from tpuc.kernels.casts import cast, round_to, through_bf16
from tpuc.kernels.float_conv import end_of
from tpuc.kernels.image import geometry
from tpuc.kernels.requant_words import Unfit

__all__ = ["PlainKernel", "choose_plain"]

Run = Callable[[Sequence[np.ndarray], int], np.ndarray]
Into = Callable[[Sequence[np.ndarray], View, int], None]
_FLOATS = (DType.F16, DType.BF16, DType.F32)


@dataclass(frozen=True)
class PlainKernel:
    """Reads the op's activations as plain arrays in their stored types, makes its result.

    Parameters
    ----------
    run : callable (activations, threads) to result
    head : HeadSpec, optional
        What `pack_attention` takes.
    into : callable (activations, target, threads), optional
        Quicker than `run` where the result is an image.
    """

    run: Run
    head: HeadSpec | None = None
    into: Into | None = None


def choose_plain(node: Node) -> PlainKernel | None:
    """The kernel of an op; None if it has none.

    Raises
    ------
    Unfit : it has one that does not fit
    """
    make = _MAKERS.get((node.op, node.output.dtype))
    made = None if make is None else make(node)
    return made if made is None or isinstance(made, PlainKernel) else PlainKernel(made)


def _attention_head(node: Node) -> PlainKernel:
    operands = [*node.inputs, *[None] * (13 - len(node.inputs))]
    if any(v is not None for v in operands[1:3]) or node.integer("head") != 1:
        raise Unfit("keys or values of their own, or several heads")
    weights = tuple(node.weight(i) for i in (3, 5, 7, 9))
    biases = tuple(None if operands[i] is None else node.weight(i) for i in (4, 6, 8, 10))
    p = node.ints("quant_param")
    words = tuple((p[i], p[i + 1]) for i in (0, 3, 6, 9, 12))
    mask, table = operands[11], operands[12]
    if table is None or table.data is None:
        raise Unfit("no table")
    if mask is not None and mask.dtype != DType.SI32:
        raise Unfit("a mask that is not int32")
    zero = 0 if node.activations[0].dtype == DType.UI8 else 128
    head = HeadSpec(weights, biases, words, table.data, node.number("scale"), zero)
    run = _run_head(pack_attention([head]), head.columns)
    if mask is None or mask.data is None:
        return PlainKernel(run, head)
    fixed = mask.data
    return PlainKernel(lambda arrays, threads: run([*arrays, fixed], threads))


def _run_head(kernel: AttentionKernel, columns: int) -> Run:
    """One head on x and, if there is one, a mask."""
    assert isinstance(kernel.finish, _attention.Sums)
    finish = kernel.finish

    def run(arrays: Sequence[np.ndarray], threads: int) -> np.ndarray:
        x = arrays[0]
        mask = arrays[1].reshape(arrays[1].shape[0], -1) if len(arrays) > 1 else None
        count = x.shape[0] * x.shape[1]
        rows = kernel.rows(count)
        rows[0].load(x.reshape(-1).view(np.uint8), threads)
        kernel.mix(rows, mask, x.shape[0], threads)
        out = np.empty((count, columns), np.int32)
        finish.run(rows[2], out, threads)
        return out.reshape(*x.shape[:2], columns)

    return run


def _sum(node: Node) -> Run:
    """Of two int32 tensors, cut to int32."""
    if node.ints("multipliers") or node.flag("do_relu"):
        raise Unfit("an Add of int32 that is scaled")
    if [v.shape for v in node.activations] != [node.output.shape] * 2 or len(node.inputs) != 2:
        raise Unfit("operands that are repeated, or constant")

    def run(arrays: Sequence[np.ndarray], threads: int) -> np.ndarray:
        x, y = arrays
        out = np.empty(x.shape, np.int32)
        _attention.add(x.reshape(-1), y.reshape(-1), out.reshape(-1), threads)
        return out

    return run


def _requant(node: Node) -> Run:
    if node.activations[0].dtype != DType.SI32 or node.flag("do_relu"):
        raise Unfit("a RequantInt of another type")
    words = words_of(node.integer("multiplier"), node.integer("rshift"))

    def run(arrays: Sequence[np.ndarray], threads: int) -> np.ndarray:
        out = np.empty(arrays[0].shape, np.int8)
        _attention.requant(arrays[0].reshape(-1), out.reshape(-1), *words, threads)
        return out

    return run


def _places(node: Node, given: np.ndarray, size: int) -> np.ndarray:
    """Rows of a table of `size` rows as int64, those before its end counted from there.

    Raises
    ------
    DataError : one is out of range
    """
    places = given.astype(np.int64)
    if places.view(np.uint64).max(initial=0) < size:
        return places
    low, high = int(places.min()), int(places.max())
    if low < -size or high >= size:
        wrong = low if low < -size else high
        raise DataError(f"{node}: position {wrong} is out of range; expected 0 to {size - 1}")
    return np.where(places < 0, places + size, places)


def _lookup(node: Node) -> PlainKernel:
    """Rows of a constant table."""
    table = node.inputs[0]
    if table is None or table.data is None or node.integer("axis") != 0 or node.flag("do_relu"):
        raise Unfit("a Gather from a computed tensor")
    rows, size, middle = table.data, len(table.data), node.attrs["keepdims"]
    rounded = rows.dtype == np.float32 and table.dtype == node.output.dtype

    def run(arrays: Sequence[np.ndarray], threads: int) -> np.ndarray:
        places = _places(node, arrays[0], size)
        picked = rows[places if middle else places.reshape(-1)[0]]
        if rounded:
            return picked
        return round_to(picked.astype(np.float32), node.output.dtype)

    shape = geometry(node.output.shape)
    if not rounded or not middle or shape is None or shape[2] * shape[3] != rows[0].size:
        return PlainKernel(run)
    flat, end = np.ascontiguousarray(rows).reshape(size, -1), end_of(DType.F32)

    def gather(arrays: Sequence[np.ndarray], target: View, threads: int) -> None:
        assert isinstance(target, FloatView)
        target.gather(flat, _places(node, arrays[0].reshape(-1), size), end, threads)

    return PlainKernel(run, into=gather)


def _numbers(node: Node) -> Run:
    """Integers of 8 bits as int32, and int32 as float32."""
    source, target = node.activations[0], node.output
    if source.dtype == DType.SI32 and source.quant is not None:
        return lambda arrays, threads: cast(arrays[0], source, target, through_bf16(node))
    if source.dtype not in (DType.SI8, DType.UI8) or target.dtype != DType.SI32:
        raise Unfit(f"a cast from {source.dtype} to {target.dtype}")
    every = np.arange(256).astype(np.uint8)  # by the bits of a number
    table = cast(every.view(source.dtype.numpy), source, target, through_bf16(node))
    return lambda arrays, threads: table.take(arrays[0].view(np.uint8))


def _reduce(node: Node) -> Run:
    """Sums and means over axes before the last one, row after row as `float_exact`; lengths."""
    source, mode = node.activations[0], node.text("mode")
    rank, axes = len(source.shape), sorted(a % len(source.shape) for a in node.ints("axes"))
    kind, keep = node.output.dtype, node.flag("keepdims")
    if mode == "ReduceL2":
        return _length(axes, keep, kind)
    if mode not in ("ReduceMean", "ReduceSum") or axes[-1] == rank - 1:
        raise Unfit(f"{mode} over {axes} of {source.shape}")
    if axes != list(range(axes[0], axes[-1] + 1)):
        raise Unfit(f"axes {axes} apart")
    first, last = axes[0], axes[-1] + 1
    size = math.prod(source.shape[first:last])
    share = round_to(np.array(1.0 / size if mode == "ReduceMean" else 1.0, np.float32), kind)
    kept = [1] * len(axes) if keep else []

    def run(arrays: Sequence[np.ndarray], threads: int) -> np.ndarray:
        shape = arrays[0].shape
        joined = arrays[0].reshape(math.prod(shape[:first]), size, -1)
        total = joined[:, 0].copy()
        for index in range(1, size):
            total += joined[:, index]
        return round_to(total * share, kind).reshape([*shape[:first], *kept, *shape[last:]])

    return run


def _length(axes: list[int], keep: bool, kind: DType) -> Run:
    import torch

    def run(arrays: Sequence[np.ndarray], threads: int) -> np.ndarray:
        x = torch.from_numpy(arrays[0] if arrays[0].flags.writeable else arrays[0].copy())
        return round_to(torch.linalg.vector_norm(x, 2, axes, keep).numpy(), kind)

    return run


_MAKERS: dict[tuple[str, DType], Callable[[Node], Run | PlainKernel]] = {
    ("Attention", DType.SI32): _attention_head,
    ("Cast", DType.SI32): _numbers,
    ("Cast", DType.F32): _numbers,
    ("Add", DType.SI32): _sum,
    ("RequantInt", DType.SI8): _requant,
    **{("Gather", kind): _lookup for kind in _FLOATS},
    **{("Reduce", kind): _reduce for kind in _FLOATS},
}
