"""Ops that move 8-bit numbers."""

from __future__ import annotations

from collections.abc import Callable

from tests.kernels.single_op import single_op
from tpuc.ir import DType, Graph

__all__ = ["MOVEMENT"]

S8, U8 = DType.SI8, DType.UI8


def _slice(shape: tuple[int, ...], places: tuple[slice, ...]) -> Graph:
    """Python's own slices as an op's attributes."""
    out = tuple(len(range(*p.indices(n))) for p, n in zip(places, shape))
    attrs = {
        "offset": tuple(p.start for p in places),
        "steps": tuple(p.step for p in places),
        "ends": tuple(p.stop for p in places),
    }
    return single_op("Slice", [(shape, S8)], (out, S8), attrs)


def _pad(mode: str, shape: tuple[int, ...], pads: tuple[int, ...]) -> Graph:
    rank = len(shape)
    out = tuple(n + a + b for n, a, b in zip(shape, pads[:rank], pads[rank:]))
    return single_op("Pad", [(shape, S8)], (out, S8), {"mode": mode, "paddings": pads})


MOVEMENT: dict[str, Callable[[], Graph]] = {
    "permute": lambda: single_op(
        "Permute", [((2, 3, 4, 5), S8)], ((2, 5, 3, 4), S8), {"order": (0, 3, 1, 2)}
    ),
    "shuffle": lambda: single_op(
        "Permute",
        [((1, 2, 24, 4, 5), S8)],
        ((1, 24, 2, 4, 5), S8),
        {"order": (0, 2, 1, 3, 4)},
    ),
    "slice of channels": lambda: single_op(
        "Slice",
        [((1, 7, 3, 4), U8)],
        ((1, 4, 3, 4), U8),
        {"offset": (0, 3, 0, 0), "steps": (1, 1, 1, 1), "ends": (1, 7, 3, 4)},
    ),
    "slice": lambda: single_op(
        "Slice",
        [((2, 7, 9), U8)],
        ((2, 3, 4), U8),
        {"offset": (0, 1, -4), "steps": (1, 2, 1), "ends": (2, 7, 9)},
    ),
    "upsample": lambda: single_op(
        "Upsample", [((1, 5, 3, 4), U8)], ((1, 5, 6, 12), U8), {"scale_h": 2, "scale_w": 3}
    ),
    "roll": lambda: single_op(
        "SwapDimInner", [((2, 9, 5, 4), S8)], ((2, 9, 5, 4), S8), {"offset": (0, 2, 4, 0)}
    ),
    "space to depth": lambda: single_op(
        "Depth2Space",
        [((1, 6, 8, 5), S8)],
        ((1, 3, 4, 20), S8),
        {
            "block_h": 2,
            "block_w": 2,
            "is_CRD": False,
            "is_inversed": True,
            "in_is_NCHW": False,
            "out_is_NCHW": False,
            "swap_cr": True,
        },
    ),
    "depth to space": lambda: single_op(
        "Depth2Space",
        [((2, 12, 3, 5), S8)],
        ((2, 3, 6, 10), S8),
        {"block_h": 2, "block_w": 2, "is_CRD": True, "is_inversed": False},
    ),
    "tile": lambda: single_op("Tile", [((2, 3, 5), S8)], ((2, 9, 10), S8), {"tile": (1, 3, 2)}),
    "pad": lambda: single_op(
        "Pad",
        [((2, 3, 5, 6), S8)],
        ((2, 3, 8, 9), S8),
        {"mode": "constant", "paddings": (0, 0, 1, 2, 0, 0, 2, 1), "val": -7.0},
    ),
    "slice backwards": lambda: _slice(
        (2, 7, 9), (slice(0, 2, 1), slice(-1, -99, -1), slice(7, 1, -2))
    ),
    "slice of a long run": lambda: _slice(
        (1, 3, 70000), (slice(0, 1, 1), slice(1, 3, 1), slice(0, 70000, 1))
    ),
    "slice of every second of many": lambda: _slice(
        (2, 140001), (slice(0, 2, 1), slice(1, 140001, 2))
    ),
    "pad by edges": lambda: _pad("edge", (2, 3, 5, 6), (0, 0, 1, 2, 0, 0, 2, 1)),
    "pad by reflection": lambda: _pad("reflect", (1, 3, 5, 6), (0, 0, 3, 2, 0, 0, 2, 4)),
}
