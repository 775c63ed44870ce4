"""Pooling."""

from __future__ import annotations

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr

__all__ = ["adaptive_pool", "avg_pool", "max_pool"]


@converts("max_pool1d", "max_pool2d", "max_pool1d_with_indices", "max_pool2d_with_indices")
def max_pool(context: TorchContext, node: TorchNode) -> None:
    """(input, kernel, stride, padding, dilation, ceil_mode)."""
    rank = 1 if "1d" in node.kind else 2
    if set(node.ints(4, rank)) != {1}:
        raise UnsupportedError(f"{node}: dilation {node.ints(4)}; expected 1")
    x = context.value(node)
    attrs = _window(node, rank, x.shape[-rank:], bool(node.arg(5)))
    context.emit(node, "MaxPool", [x], attrs)


@converts("avg_pool1d", "avg_pool2d")
def avg_pool(context: TorchContext, node: TorchNode) -> None:
    """(input, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override).

    What ceil_mode adds behind the input never counts, unlike padding, which may.
    """
    rank = 1 if "1d" in node.kind else 2
    if node.arg(6) is not None:
        raise UnsupportedError(f"{node}: divisor_override {node.arg(6)}; expected none")
    x = context.value(node)
    attrs = _window(node, rank, x.shape[-rank:], bool(node.arg(4)))
    given = node.ints(3, rank)
    counted = bool(node.arg(5))
    if attrs["pads"] != given * 2:
        if counted and any(given):
            raise UnsupportedError(
                f"{node}: ceil_mode with padding {given}; expected count_include_pad=False"
            )
        counted = False
    context.emit(node, "AvgPool", [x], {**attrs, "count_include_pad": counted})


def _window(node: TorchNode, rank: int, space: tuple[int, ...], ceil_mode: bool) -> dict[str, Attr]:
    """Kernel, strides and pads; ceil_mode becomes pads behind the input."""
    kernel = node.ints(1, rank)
    strides = node.ints(2, rank) if node.arg(2) else kernel
    begins = node.ints(3, rank)
    ends = list(begins)
    if ceil_mode:
        for i in range(rank):
            reach = space[i] + 2 * begins[i] - kernel[i]
            steps = -(-reach // strides[i])
            if steps * strides[i] >= space[i] + begins[i]:
                steps -= 1  # a window may not start in the padding behind the input
            ends[i] += max(0, steps * strides[i] - reach)
    return {"kernel_shape": kernel, "strides": strides, "pads": (*begins, *ends)}


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
    attrs: dict[str, Attr] = {
        "kernel_shape": kernel,
        "strides": (1,) * rank if whole else kernel,
        "pads": (0,) * (2 * rank),
    }
    mean = "avg" in node.kind
    if mean:
        attrs["count_include_pad"] = True
    context.emit(node, "AvgPool" if mean else "MaxPool", [x], attrs)
