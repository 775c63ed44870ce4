"""Pooling."""

from __future__ import annotations

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode

__all__ = ["adaptive_pool", "avg_pool", "max_pool"]


@converts("max_pool1d", "max_pool2d", "max_pool1d_with_indices", "max_pool2d_with_indices")
def max_pool(context: TorchContext, node: TorchNode) -> None:
    """(input, kernel, stride, padding, dilation, ceil_mode)."""
    rank = 1 if "1d" in node.kind else 2
    if set(node.ints(4, rank)) != {1}:
        raise UnsupportedError(f"{node}: dilation {node.ints(4)}; expected 1")
    attrs = {**_window(node, rank), "ceil_mode": bool(node.arg(5))}
    context.emit(node, "MaxPool", [context.value(node)], attrs)


@converts("avg_pool1d", "avg_pool2d")
def avg_pool(context: TorchContext, node: TorchNode) -> None:
    """(input, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)."""
    rank = 1 if "1d" in node.kind else 2
    if node.arg(6) is not None:
        raise UnsupportedError(f"{node}: divisor_override {node.arg(6)}; expected none")
    attrs = {**_window(node, rank), "count_include_pad": bool(node.arg(5))}
    if node.arg(4):
        attrs["ceil_mode"] = True
    context.emit(node, "AvgPool", [context.value(node)], attrs)


def _window(node: TorchNode, rank: int) -> dict:
    kernel = node.ints(1, rank)
    strides = node.ints(2, rank) if node.arg(2) else kernel
    return {"kernel_shape": kernel, "strides": strides, "pads": node.ints(3, rank) * 2}


@converts(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"
)
def adaptive_pool(context: TorchContext, node: TorchNode) -> None:
    """A plain pool whose windows tile the input."""
    x = context.value(node)
    rank = 1 if "1d" in node.kind else 2
    wanted = node.arg(1)
    wanted = list(wanted) if isinstance(wanted, list | tuple) else [wanted] * rank
    space = x.shape[-rank:]
    out = [s if w is None else int(w) for s, w in zip(space, wanted)]
    if any(s % w for s, w in zip(space, out)):
        raise UnsupportedError(
            f"{node}: {list(space)} to {out}; expected a size that divides the input's"
        )
    kernel = tuple(s // w for s, w in zip(space, out))
    whole = all(w == 1 for w in out)
    attrs: dict = {
        "kernel_shape": kernel,
        "strides": (1,) * rank if whole else kernel,
        "pads": (0,) * (2 * rank),
    }
    mean = "avg" in node.kind
    if mean:
        attrs["count_include_pad"] = True
    context.emit(node, "AvgPool" if mean else "MaxPool", [x], attrs)
