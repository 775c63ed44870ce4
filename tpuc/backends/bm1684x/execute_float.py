"""Kernels of the executor for floats.

F16 and BF16: sums of products are exact and rounded once, as the chip's simulator does; float32:
exact too, where the chip rounds every step. Division, roots and polynomials are those of numpy in
float32, where the chip iterates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.backends.bm1684x.chip_memory import (
    FLOAT_CODES,
    Memory,
    operand,
    result_shape,
    store,
    type_of,
    windows,
)
from tpuc.backends.bm1684x.command import LANES, up
from tpuc.backends.bm1684x.decode import Decoded
from tpuc.backends.bm1684x.floats import from_stored
from tpuc.numerics.rounding import round_away

__all__ = ["FLOAT_KERNELS"]

_INTERLEAVE = {1: 32, 5: 32, 2: 1}
_NORMAL = float(np.finfo(np.float32).tiny)
_ROUNDINGS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    0: np.rint,
    1: round_away,
    2: np.trunc,
    3: np.floor,
    4: np.ceil,
}
_STEPS: dict[int, Callable[..., np.ndarray]] = {
    0: np.multiply,
    2: np.add,
    3: np.subtract,
    4: np.maximum,
    5: np.minimum,
    12: np.divide,
}
_TESTS: dict[int, Callable[..., np.ndarray]] = {23: np.greater, 24: np.equal, 26: np.less}


def _flushed(values: np.ndarray) -> np.ndarray:
    """Float32 numbers; what is below the normal ones becomes 0."""
    short = np.asarray(values, np.float32)
    return np.where(np.abs(short) < _NORMAL, np.float32(0), short)


def _conv(chip: Memory, c: Decoded) -> None:
    x = operand(chip, c, "a", (c["r_n"], c["a_c"], c["a_h"], c["a_w"]), 1)
    side, dtype = _INTERLEAVE[c["a_type"]], type_of(c["a_type"], 1)
    taps, rows, depth = c["kernel_h"] * c["kernel_w"], -(-c["r_c"] // LANES), up(c["a_c"], side)
    size = depth * taps * dtype.itemsize
    raw = chip.local[:, c["b_addr"] : c["b_addr"] + rows * size].view(dtype)
    filters = from_stored(raw.copy(), c["a_type"]).reshape(LANES, rows, -1, taps, side)
    filters = filters.transpose(1, 0, 3, 2, 4).reshape(rows * LANES, taps, depth)
    filters = filters[: c["r_c"], :, : c["a_c"]].astype(np.float64)
    total = np.zeros(result_shape(c)) + _bias(chip, c)
    for tap, pixels in enumerate(windows(c, x, 0)):
        total += np.einsum("oc,nchw->nohw", filters[:, tap], pixels, optimize=True)
    store(chip, c, _flushed(total))


def _bias(chip: Memory, c: Decoded) -> np.ndarray | float:
    if c["c_const"]:
        return 0.0
    return chip.read(c["c_addr"], (1, c["r_c"], 1, 1), (0, 1, 1, 1), np.dtype("<f4"))


def _depthwise(chip: Memory, c: Decoded) -> None:
    x = operand(chip, c, "a", (c["r_n"], c["r_c"], c["a_h"], c["a_w"]), 1)
    taps, channels = c["kernel_h"] * c["kernel_w"], c["r_c"]
    dtype = type_of(c["a_type"], 1)
    raw = chip.read(c["b_addr"], (1, channels, 1, taps), (0, taps, taps, 1), dtype)
    kernels = from_stored(raw, c["a_type"]).astype(np.float64)
    total = np.zeros(result_shape(c)) + _bias(chip, c)
    for tap, pixels in enumerate(windows(c, x, 0)):
        total += kernels[:, :, :, tap : tap + 1] * pixels
    store(chip, c, _flushed(total))


def _pool(chip: Memory, c: Decoded) -> None:
    x = operand(chip, c, "a", (c["r_n"], c["r_c"], c["a_h"], c["a_w"]), 1)
    word = "b_addr" if c["sub"] == 1 else "d_addr"
    bits = np.array([c[word]], "<u4").view(f"<u{type_of(c['a_type'], 1).itemsize}")[:1]
    number = float(from_stored(bits, c["a_type"])[0])
    if c["sub"] == 4:
        store(chip, c, np.max(windows(c, x, number), axis=0))
    else:
        store(chip, c, _sum(windows(c, x, 0), number))


def _sum(taps: Sequence[np.ndarray], factor: float) -> np.ndarray:
    """Even taps are added one after another in float32, odd ones too, then both."""
    halves = []
    for part in (taps[0::2], taps[1::2]):
        total = np.zeros(taps[0].shape, np.float32)
        for tap in part:
            total = _flushed(total + _flushed(np.float32(factor) * tap.astype(np.float32)))
        halves.append(total)
    return _flushed(halves[0] + halves[1])


def _arith(chip: Memory, c: Decoded) -> None:
    a = operand(chip, c, "a", result_shape(c), c["a_signed"])
    sub = c["sub"]
    if sub == 14:
        store(chip, c, _cast(c, a))
    elif sub in (19, 26):
        store(chip, c, np.abs(a) if sub == 26 else a)
    else:
        b = operand(chip, c, "b", result_shape(c), c["b_signed"])
        with np.errstate(all="ignore"):
            store(chip, c, _flushed(_STEPS[sub](a, b)))


def _cast(c: Decoded, a: np.ndarray) -> np.ndarray:
    if c["r_type"] in FLOAT_CODES:
        return a.astype(np.float32)
    target = type_of(c["r_type"], c["c_signed"])
    whole = np.nan_to_num(_ROUNDINGS[c["rounding"]](a.astype(np.float64)), nan=0.0)
    limits = np.iinfo(target)
    return np.clip(whole, limits.min, limits.max).astype(target)


def _matrix_rows(chip: Memory, c: Decoded) -> None:
    """Float or int32 sums: both are exact in float64."""
    shape = 1, c["b_c"], 1, c["b_w"]
    turned = c["sub"] == 5
    depth = c["b_w"] if turned else c["b_c"]
    a = operand(chip, c, "a", (1, c["r_c"], 1, depth), c["a_signed"])
    typed = {**c.fields, "b_type": c["a_type"]}
    b = operand(chip, Decoded(c.kind, c.engine, 0, 0, typed), "b", shape, c["b_signed"])
    right = b[0, :, 0].T if turned else b[0, :, 0]
    total = a[0, :, 0].astype(np.float64) @ right.astype(np.float64)
    values = total.reshape(1, c["r_c"], 1, c["r_w"])
    sized = {**c.fields, "r_n": 1, "r_h": 1}
    exact = values if c["r_type"] in FLOAT_CODES else values.astype(np.int32)
    store(chip, Decoded(c.kind, c.engine, 0, 0, sized), exact)


def _function(chip: Memory, c: Decoded) -> None:
    x = operand(chip, c, "a", result_shape(c), 1)
    with np.errstate(all="ignore"):
        if c["sub"] == 17:
            made = (1.0 / np.sqrt(x.astype(np.float64))).astype(np.float32)
        else:
            terms = chip.local[:, c["b_addr"] : c["b_addr"] + 4 * c["b_n"]].view("<f4")
            assert (terms == terms[0]).all()
            made = np.zeros_like(x)
            for term in terms[0][::-1]:
                made = made * x + term
    store(chip, c, _flushed(made))


def _gather(chip: Memory, c: Decoded) -> None:
    index = operand(chip, c, "b", (c["r_n"], c["b_c"], 1, c["b_w"]), 0)
    tables = chip.local[:, c["a_addr"] : c["a_addr"] + 4 * c["a_w"]].view("<f4")
    lanes = (np.arange(c["b_c"]) % LANES).reshape(1, -1, 1, 1)
    store(chip, c, tables[lanes, index])


def _choose(chip: Memory, c: Decoded) -> None:
    shape = result_shape(c)
    a, b = operand(chip, c, "a", shape, 1), _beside(chip, c, "b", "a")
    test = _TESTS[c["sub"]](a, b)
    chosen = np.where(test, _beside(chip, c, "c", "c"), _beside(chip, c, "d", "c"))
    twin = Decoded(c.kind, c.engine, c.serial, c.wait, {**c.fields, "r_type": c["c_type"]})
    store(chip, twin, chosen)


def _beside(chip: Memory, c: Decoded, name: str, like: str) -> np.ndarray:
    """An operand that has the type of another."""
    typed = {**c.fields, f"{name}_type": c[f"{like}_type"]}
    return operand(chip, Decoded(c.kind, c.engine, 0, 0, typed), name, result_shape(c), 1)


FLOAT_KERNELS: dict[tuple[str, int], Callable[[Memory, Decoded], None]] = {
    ("conv", 0): _conv,
    ("window", 0): _depthwise,
    ("window", 1): _pool,
    ("window", 4): _pool,
    **{("arith", sub): _arith for sub in (*_STEPS, 14, 19, 26)},
    **{("function", sub): _function for sub in (12, 17)},
    ("gather", 5): _gather,
    ("matrix_rows", 4): _matrix_rows,
    ("matrix_rows", 5): _matrix_rows,
    **{("choose", sub): _choose for sub in _TESTS},
}
