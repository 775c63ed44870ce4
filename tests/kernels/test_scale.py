"""Scaling by channel with 16-bit sums: every instruction set equals the numpy reference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.single_op import check, single_op
from tpuc.ir import DType

TYPES = [DType.SI8, DType.UI8]


@pytest.mark.parametrize("kinds", [(a, b) for a in TYPES for b in TYPES])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 67, 3, 3)])
def test_scale(shape: tuple[int, ...], relu: bool, kinds: tuple[DType, DType], isa: str) -> None:
    """Sums far beyond 16 bits, shifts from 0 to 31."""
    rng = np.random.default_rng(1)
    channels = shape[1]
    shifts = rng.integers(0, 12, channels)
    shifts[:3] = [0, 31, 8]
    words = [
        rng.integers(-128, 128, channels).astype(np.int8),
        rng.integers(-32768, 32768, channels).astype(np.int32),
        (-shifts).astype(np.int8),
    ]
    check(single_op("Scale", [(shape, kinds[0])], (shape, kinds[1]), {"do_relu": relu}, words))
