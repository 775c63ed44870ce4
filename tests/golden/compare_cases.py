"""Pairs of tensors, target and reference, that a comparison must judge like TPU-MLIR's."""

from __future__ import annotations

import numpy as np

__all__ = ["FUZZY", "OPTIONS", "pairs", "strangers"]

OPTIONS = {
    "default": [],
    "loose": ["--tolerance", "0.99,0.9"],
    "looser": ["--tolerance", "0.8,0.4"],
    "similar integers": ["--int8_tensor_close", "0"],
    "by channel": ["--per_axis_compare", "1", "--tolerance", "0.95,0.7"],
    "by sample": ["--per_axis_compare", "0", "--int8_tensor_close", "0"],
    "by row": ["--per_axis_compare", "2", "--tolerance", "0.99,0.9"],
    "one": ["--key", "one channel off"],
}


FUZZY = {"near": [], "strict": ["--tolerance", "0.9999,0.9999"]}
"""Options beside --fuzzy_match."""


def strangers() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Two files whose tensors have other names; none is close to another but equal or noisy."""
    random = np.random.default_rng(1)
    target = {f"t{i}": random.normal(size=(4, 6 + i % 2)).astype(np.float32) for i in range(5)}
    near = [x + random.normal(size=x.shape).astype(np.float32) * 0.03 for x in target.values()]
    near[2] = target["t2"].copy()
    order = (3, 0, 4, 2, 1)
    return target, {f"r{i}": near[i] for i in order}


def pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Every case by its name."""
    random = np.random.default_rng(0)
    base = random.normal(size=(1, 8, 5, 5)).astype(np.float32)
    found = {"same": (base, base)}
    for digits, change in ((5, 3e-6), (4, 5e-5), (3, 5e-4), (2, 5e-3)):
        found[f"within {digits} digits"] = ((base * (1 + change)).astype(np.float32), base)
    for noise in (0.005, 0.02, 0.05, 0.2, 0.5, 2.0):
        other = base + random.normal(size=base.shape) * noise
        found[f"noise {noise}"] = (other.astype(np.float32), base)
    zero = np.zeros_like(base)
    found |= {"zeros": (zero, zero), "zero target": (zero, base), "zero reference": (base, zero)}
    found |= {"scaled": ((base * 1.02).astype(np.float32), base), "opposite": (-0.5 * base, base)}
    found |= {"constant": (np.full(4, 3, np.float32), np.full(4, 2, np.float32))}
    off = base.copy()
    off[0, 2] += random.normal(size=(5, 5)).astype(np.float32) * 0.3
    found |= {"one channel off": (off, base)}
    found |= _odd(base) | _integers(random) | _shapes(base)
    return found


def _odd(base: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Numbers that are none."""
    found = {}
    for name, value in (("nan", np.nan), ("inf", np.inf), ("-inf", -np.inf)):
        odd = base.copy()
        odd[0, 0, 0, 0] = value
        found[f"{name} in target"] = (odd, base)
        found[f"{name} in reference"] = (base, odd)
        found[f"{name} in both"] = (odd, odd)
    return found


def _integers(random: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    numbers = random.integers(-128, 128, (1, 64)).astype(np.int8)
    near = numbers.copy()
    near[0, 3] ^= 1
    top = (random.normal(size=20).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    real = (top.astype(np.uint32) << 16).view(np.float32)
    return {
        "int8": (numbers, numbers),
        "int8 off by one": (near, numbers),
        "int8 and float": (numbers, numbers.astype(np.float32)),
        "uint8 off by one": (near.view(np.uint8), numbers.view(np.uint8)),
        "int32": (numbers.astype(np.int32), numbers.astype(np.int32) + 1),
        "int32 and float": (numbers.astype(np.int32), numbers.astype(np.float32) + 0.25),
        "bf16 in 16 bits": (top, real),
        "float16": (real.astype(np.float16), real),
        "bool": (np.array([True, False]), np.array([True, True])),
    }


def _shapes(base: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        "flat": (base.reshape(1, -1), base),
        "fewer channels": (base[:, :4], base),
        "more channels": (base, base[:, :4]),
        "neither inside": (base[:, :4], base[:, :, :4]),
        "other number of axes": (base[0, :4], base),
        "one number": (np.array([1.0], np.float32), np.array([1.001], np.float32)),
    }
