"""Float ops whose last bit depends on how they are computed: TPU-MLIR's own steps, in numpy.

softmax:    e_i = float32(exp(x_i - max)),  y_i = e_i / (e_0 + e_1 + ...), added one after another
mean:       (x_0 + x_1 + ...) * c, added one after another; c = 1 / n rounded to the result's type

The result is then rounded to its type, except by interpolation: TPU-MLIR's simulator keeps
interpolated numbers in float32, whatever their type, and ops that move or limit numbers keep them.
Functions of one number (`IN_DOUBLE`) are computed in float64 and rounded to float32 first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import DType, Node
from tpuc.kernels.casts import round_to
from tpuc.numerics.bf16_tables import SOFTMAX_REACH, run_mantissa, run_slope
from tpuc.numerics.rounding import round_bf16
from tpuc.simulator.float_attention import attention
from tpuc.simulator.float_norms import group_norm, instance_norm, layer_norm, rms_norm

__all__ = ["EXACT", "IN_DOUBLE", "rounding_of"]

IN_DOUBLE = frozenset({"Active"})
_UNROUNDED = frozenset(
    "LayerNorm RMSNorm GroupNorm Interp Rope Concat Reshape Permute Slice Squeeze Unsqueeze "
    "Tile Pad Upsample Depth2Space SwapDimInner GridSampler Relu Clip Max Min".split()
)


def rounding_of(node: Node) -> DType:
    """The type to which the numbers of a float op's result are rounded."""
    moves = node.op in _UNROUNDED or node.attrs.get("pool_mode") == "Max"
    kept = moves and not node.output.dtype.is_float8
    return DType.F32 if kept else node.output.dtype


def _sum_in_turn(x: np.ndarray, axis: int) -> np.ndarray:
    """Float32 sum along one axis, one addition after another; the axis stays, with length 1."""
    return np.take(np.add.accumulate(x, axis=axis, dtype=np.float32), [-1], axis=axis)


def _softmax(node: Node, x: np.ndarray, *tables: np.ndarray) -> np.ndarray | None:
    if tables:
        return _softmax_of_tables(node, x, *(t.reshape(-1) for t in tables))
    if node.attrs["log"] or node.number("beta") != 1.0:
        return None
    axis = node.integer("axis")
    below = (x - x.max(axis=axis, keepdims=True)).astype(np.float64)
    powers = np.exp(below).astype(np.float32)
    return powers / _sum_in_turn(powers, axis)


def _softmax_of_tables(node: Node, x: np.ndarray, *tables: np.ndarray) -> np.ndarray:
    """Exponentials and the reciprocal of their sum from BF16 tables, each step in BF16."""
    base, slope, power, mantissa = tables
    axis = node.integer("axis")
    below = round_bf16(x - x.max(axis=axis, keepdims=True))
    powers = run_slope(below, base, slope, SOFTMAX_REACH)
    total = round_bf16(_sum_in_turn(powers, axis))
    return powers * run_mantissa(total, power, mantissa)


def _reduce(node: Node, x: np.ndarray) -> np.ndarray | None:
    """Sums and means over neighbouring axes, in the order of the numbers in memory."""
    axes = sorted(a % x.ndim for a in node.ints("axes"))
    if node.attrs["mode"] not in ("ReduceMean", "ReduceSum"):
        return None
    if axes != list(range(axes[0], axes[-1] + 1)):
        return None
    size = int(np.prod([x.shape[a] for a in axes]))
    joined = x.reshape(*x.shape[: axes[0]], size, *x.shape[axes[-1] + 1 :])
    total = _sum_in_turn(joined, axes[0])
    if node.attrs["mode"] == "ReduceMean":
        total = total * round_to(np.array(1.0 / size, np.float32), node.output.dtype)
    kept = [1] * len(axes) if node.flag("keepdims") else []
    return total.reshape([*x.shape[: axes[0]], *kept, *x.shape[axes[-1] + 1 :]] or [1])


def _look_up(
    node: Node, x: np.ndarray, table: np.ndarray, mantissa: np.ndarray
) -> np.ndarray | None:
    first, second = table.reshape(-1), mantissa.reshape(-1)
    mode = node.text("lut_mode")
    if mode == "Slope":
        return run_slope(x, first, second, node.number("max_range"))
    return run_mantissa(x, first, second, sums=mode == "Log")


EXACT: dict[str, Callable[..., np.ndarray | None]] = {
    "LutBF16": _look_up,
    "Softmax": _softmax,
    "Reduce": _reduce,
    "Attention": attention,
    "LayerNorm": layer_norm,
    "RMSNorm": rms_norm,
    "InstanceNorm": instance_norm,
    "GroupNorm": group_norm,
}
