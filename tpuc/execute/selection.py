"""Comparisons (true is 1.0), selections, and ops that index; positions are held as float32."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tpuc.errors import DataError, UnsupportedError
from tpuc.execute.registry import Tensor, kernel
from tpuc.ir import Node

__all__: list[str] = []

_MODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Equal": torch.eq,
    "NotEqual": torch.ne,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
}


@kernel("Compare")
def _compare(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return _MODES[node.text("mode")](x, y).to(torch.float32)


@kernel("CompareConst")
def _compare_const(node: Node, x: Tensor) -> Tensor:
    if node.text("mode") == "Not":
        return (x == 0).to(torch.float32)
    number = torch.tensor(node.number("const_val"), dtype=torch.float32)
    pair = (number, x) if node.flag("inversed") else (x, number)
    return _MODES[node.text("mode")](*pair).to(torch.float32)


@kernel("Where")
def _where(node: Node, condition: Tensor, *sides: Tensor | None) -> Tensor:
    given = [*sides, None, None]
    chosen = []
    for side, key in zip(given, ("x", "y")):
        number = torch.tensor(node.number(f"{key}_const_val"), dtype=torch.float32)
        chosen.append(number if node.flag(f"{key}_is_const") or side is None else side)
    return torch.where(condition != 0, chosen[0], chosen[1])


@kernel("Sign")
def _sign(node: Node, x: Tensor) -> Tensor:
    return torch.sign(x)


@kernel("Cast")
def _cast(node: Node, x: Tensor) -> Tensor:
    return torch.trunc(x) if node.text("to") == "INT32" else x


@kernel("Mod")
def _mod(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return torch.remainder(x, y)


@kernel("CumSum")
def _cum_sum(node: Node, x: Tensor, dim: Tensor) -> Tensor:
    return torch.cumsum(x, node.integer("axis"))


def _positions(node: Node, indices: Tensor, size: int) -> Tensor:
    """Whole numbers from 0 to size - 1; negative ones count from the end."""
    whole = indices.long()
    low, high = int(whole.min()), int(whole.max())
    if low < -size or high >= size:
        wrong = low if low < -size else high
        raise DataError(f"{node}: position {wrong} is out of range; expected 0 to {size - 1}")
    return torch.where(whole < 0, whole + size, whole)


@kernel("Gather")
def _gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.integer("axis") % x.dim()
    picked = x.index_select(axis, _positions(node, indices, x.shape[axis]).reshape(-1))
    middle = indices.shape if node.attrs["keepdims"] else ()
    return picked.reshape(*x.shape[:axis], *middle, *x.shape[axis + 1 :])


@kernel("GatherElements")
def _gather_elements(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.integer("axis")
    return torch.gather(x, axis, _positions(node, indices, x.shape[axis]))


@kernel("GatherND")
def _gather_nd(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    batch = node.integer("batch_dims")
    head = x.shape[:batch]
    rows = x.reshape(-1, *x.shape[batch:])
    count = rows.shape[0]
    places = indices.reshape(count, -1, indices.shape[-1]).long()
    depth = places.shape[-1]
    first = torch.arange(count).reshape(-1, 1).expand(count, places.shape[1])
    picked = rows[(first, *(places[..., i] for i in range(depth)))]
    return picked.reshape(*head, *indices.shape[batch:-1], *x.shape[batch + depth :])


@kernel("ScatterND")
def _scatter_nd(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    depth = indices.shape[-1]
    places = indices.reshape(-1, depth)
    at = tuple(_positions(node, places[:, i], x.shape[i]) for i in range(depth))
    values = updates.reshape(places.shape[0], *x.shape[depth:])
    mode = node.integer("reduction")
    if mode in (0, 1):
        return x.clone().index_put_(at, values, accumulate=mode == 1)
    raise UnsupportedError(f"{node}: reduction {mode}; expected 0 (none) or 1 (add)")


@kernel("ScatterElements")
def _scatter_elements(node: Node, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axis, mode = node.integer("axis"), node.integer("reduction")
    places = _positions(node, indices, x.shape[axis])
    if mode in (0, 1):
        return (x.scatter if mode == 0 else x.scatter_add)(axis, places, updates)
    raise UnsupportedError(f"{node}: reduction {mode}; expected 0 (none) or 1 (add)")


@kernel("TopK")
def _top_k(node: Node, x: Tensor) -> list[Tensor]:
    axis, largest = node.integer("axis"), node.flag("largest")
    order = torch.argsort(x, dim=axis, descending=largest, stable=True)
    kept = order.narrow(axis, 0, node.integer("K"))
    return [torch.gather(x, axis, kept), kept.to(torch.float32)]


@kernel("GridSampler")
def _grid_sampler(node: Node, x: Tensor, grid: Tensor) -> Tensor:
    mode = ("bilinear", "nearest")[node.integer("mode")]
    padding = ("zeros", "border", "reflection")[node.integer("padding_mode")]
    return F.grid_sample(x, grid, mode, padding, node.flag("align_corners"))
