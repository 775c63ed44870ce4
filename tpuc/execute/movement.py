"""Reductions, interpolation and ops that only move data."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tpuc.errors import UnsupportedError
from tpuc.execute.registry import Tensor, kernel
from tpuc.ir import Node

__all__: list[str] = []


_REDUCE: dict[str, Callable[..., Tensor]] = {
    "ReduceMean": torch.mean,
    "ReduceSum": torch.sum,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceL2": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 2, dim, keepdim),
    "ReduceL1": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 1, dim, keepdim),
}


@kernel("Reduce")
def _reduce(node: Node, x: Tensor) -> Tensor:
    mode, axes = node.text("mode"), list(node.ints("axes"))
    keep = node.flag("keepdims")
    if mode == "ReduceProd":
        for axis in sorted(axes, reverse=True):
            x = x.prod(axis, keepdim=keep)
    else:
        x = _REDUCE[mode](x, dim=axes, keepdim=keep)
    return x.reshape(1) if x.dim() == 0 else x


@kernel("Arg")
def _arg(node: Node, x: Tensor) -> list[Tensor]:
    axis, keep = node.integer("axis"), node.flag("keepdims")
    pick = torch.argmax if node.attrs["mode"] == "ArgMax" else torch.argmin
    index = pick(x, axis, keepdim=True)
    outs = [index.float(), torch.gather(x, axis, index)]
    return outs if keep else [o.squeeze(axis) for o in outs]


@kernel("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _view(node: Node, x: Tensor) -> Tensor:
    return x.reshape(node.output.shape)


@kernel("Permute")
def _permute(node: Node, x: Tensor) -> Tensor:
    return x.permute(list(node.ints("order"))).contiguous()


@kernel("SwapDimInner")
def _swap_dim_inner(node: Node, x: Tensor) -> Tensor:
    return torch.roll(x, [-o for o in node.ints("offset")], list(range(x.dim())))


@kernel("Concat")
def _concat(node: Node, *operands: Tensor) -> Tensor:
    return torch.cat(operands, node.integer("axis"))


@kernel("Split")
def _split(node: Node, x: Tensor) -> list[Tensor]:
    sizes = list(node.ints("split_size"))
    return list(torch.split(x, sizes, node.integer("axis")))


@kernel("Slice")
def _slice(node: Node, x: Tensor, *_: Tensor | None) -> Tensor:
    offset, steps, ends = (node.ints(k) for k in ("offset", "steps", "ends"))
    axes = node.ints("axes") or tuple(range(len(offset)))
    for axis, start, step, end in zip(axes, offset, steps, ends):
        size = x.shape[int(axis)]
        picks = range(*slice(int(start), int(end), int(step)).indices(size))
        if int(step) < 0 and int(end) < -size:
            picks = range(*slice(int(start), None, int(step)).indices(size))
        if picks != range(size):
            x = x.index_select(int(axis), torch.tensor(list(picks)))
    return x


@kernel("Pad")
def _pad(node: Node, x: Tensor) -> Tensor:
    pads = list(node.ints("paddings"))
    rank = len(pads) // 2
    flat = [p for i in reversed(range(rank)) for p in (pads[i], pads[i + rank])]
    mode = node.text("mode")
    if mode == "constant":
        return F.pad(x, flat, value=node.number("val"))
    if any(flat[-4:]) or rank < 3:
        raise UnsupportedError(f"{node}: {mode} padding of batch or channels is not supported")
    return F.pad(x, flat[:-4], mode="replicate" if mode == "edge" else "reflect")


@kernel("Expand")
def _expand(node: Node, x: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, node.ints("shape"))).contiguous()


@kernel("Tile")
def _tile(node: Node, x: Tensor) -> Tensor:
    return x.repeat(list(node.ints("tile")))


@kernel("Upsample")
def _upsample(node: Node, x: Tensor) -> Tensor:
    tall = x.repeat_interleave(node.integer("scale_h"), 2)
    return tall.repeat_interleave(node.integer("scale_w"), 3)


def _source(out: int, size: int, scale: float, coord: str, kind: torch.dtype) -> Tensor:
    """Position in the input of each output element, by ONNX's coordinate transformations."""
    i = torch.arange(out, dtype=kind)
    if coord == "align_corners":
        return i * ((size - 1) / (out - 1)) if out > 1 else torch.zeros(out, dtype=kind)
    if coord == "asymmetric":
        return i / scale
    if coord == "pytorch_half_pixel" and out == 1:
        return torch.zeros(1, dtype=kind)
    return (i + 0.5) * (1.0 / scale) - 0.5


def _linear(x: Tensor, axis: int, at: Tensor) -> Tensor:
    """low + part * (high - low) along one axis; positions, parts and results in x's type."""
    size = x.shape[axis]
    at = at.clamp(0, size - 1)
    low = at.floor().long()
    part = (at - low).reshape([-1 if a == axis else 1 for a in range(x.dim())])
    below = x.index_select(axis, low)
    return below + part * (x.index_select(axis, (low + 1).clamp(max=size - 1)) - below)


@kernel("Interp")
def _interp(node: Node, x: Tensor, target: Tensor | None = None) -> Tensor:
    coord, linear = node.text("coord_mode"), node.attrs["mode"] == "linear"
    for axis in (2, 3):
        size, out = x.shape[axis], node.output.shape[axis]
        given = float(node.attrs["scale_h" if axis == 2 else "scale_w"])  # type: ignore[arg-type]
        # nearest neighbours must not depend on a position's last bit
        kind = x.dtype if linear else torch.float64
        at = _source(out, size, given if given > 0 else out / size, coord, kind)
        if linear:
            x = _linear(x, axis, at)
        else:  # asymmetric rounds down, others to the nearest with halves down
            index = at.floor() if coord == "asymmetric" else (at - 0.5).ceil()
            x = x.index_select(axis, index.long().clamp(0, size - 1))
    return x


@kernel("Depth2Space")
def _depth2space(node: Node, x: Tensor) -> Tensor:
    if not node.flag("in_is_NCHW"):
        return _join_patches(node, x)
    (n, c, h, w), bh, bw = x.shape, node.integer("block_h"), node.integer("block_w")
    if node.attrs["is_inversed"]:
        order = (0, 1, 3, 5, 2, 4) if node.attrs["is_CRD"] else (0, 3, 5, 1, 2, 4)
        x = x.reshape(n, c, h // bh, bh, w // bw, bw).permute(order)
        return x.reshape(n, -1, h // bh, w // bw)
    if node.attrs["is_CRD"]:
        parts = x.reshape(n, c // (bh * bw), bh, bw, h, w).permute(0, 1, 4, 2, 5, 3)
    else:
        parts = x.reshape(n, bh, bw, c // (bh * bw), h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // (bh * bw), h * bh, w * bw)


def _join_patches(node: Node, x: Tensor) -> Tensor:
    """Blocks of neighbours side by side in the last axis; column by column with `swap_cr`."""
    n, h, w, c = x.shape
    bh, bw = node.integer("block_h"), node.integer("block_w")
    if not node.flag("is_inversed") or node.flag("is_CRD") or node.flag("out_is_NCHW"):
        raise UnsupportedError(f"{node}: channels last; expected is_inversed without is_CRD")
    order = (0, 1, 3, 4, 2, 5) if node.flag("swap_cr") else (0, 1, 3, 2, 4, 5)
    parts = x.reshape(n, h // bh, bh, w // bw, bw, c).permute(order)
    return parts.reshape(n, h // bh, w // bw, -1)
