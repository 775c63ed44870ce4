"""Sums of differences between float images and byte images, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from tpuc.kernels._cpu import isa_name, limit_isa
from tpuc.kernels._float import FloatView
from tpuc.kernels._int8 import View

from tpuc.kernels import _calib
from tpuc.kernels.image import Layout, Need

SHAPES = [(1, 1, 1, 1), (2, 8, 3, 5), (3, 19, 4, 33), (1, 3, 40, 70), (2, 40, 1, 1)]


def _image(array: np.ndarray, need: Need, zero: int) -> View:
    floats = array.dtype == np.float32
    layout = Layout(array.shape, need, zero, array.itemsize, FloatView if floats else View, 0)
    view = layout.view(np.zeros(layout.size + 64, np.uint8), 0)
    view.load(array.reshape(-1).view(np.uint8), 1)
    view.fill_halo(1)
    return view


def _pair(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(sum(shape))
    return (
        chance.normal(0, 3, shape).astype(np.float32),
        chance.integers(0, 256, shape).astype(np.uint8),
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("need", [Need(), Need(1, 2, 3, 0, 4)], ids=["plain", "halo"])
@pytest.mark.parametrize("zero", [0, 128, 77])
def test_sums(shape, need, zero, isa):
    floats, stored = _pair(shape)
    scale = np.float32(0.037)
    sums, error = _calib.gap(_image(floats, need, 0), _image(stored, need, zero), scale)
    x = floats.astype(np.float64)
    y = ((stored.astype(np.int32) - zero).astype(np.float32) * scale).astype(np.float64)
    each = [v.sum(axis=(1, 2, 3)) for v in (x * y, x * x, y * y, (x - y) ** 2)]
    np.testing.assert_allclose(sums, np.stack(each, axis=1), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(error, (x - y).sum(axis=(2, 3)), rtol=1e-12, atol=1e-9)


def test_the_same_bits_whatever_the_machine():
    floats, stored = _pair((2, 19, 9, 35))
    before = isa_name()
    found = []
    for name in ("portable", "avx2", "vnni"):
        limit_isa(name)
        found.append(_calib.gap(_image(floats, Need(), 0), _image(stored, Need(), 5), 0.11))
    limit_isa(before)
    for sums, error in found[1:]:
        np.testing.assert_array_equal(sums, found[0][0])
        np.testing.assert_array_equal(error, found[0][1])


def test_other_images_are_refused():
    floats, stored = _pair((1, 2, 3, 4))
    with pytest.raises(ValueError, match="images differ"):
        _calib.gap(_image(stored, Need(), 0), _image(stored, Need(), 0), 1.0)
    with pytest.raises(ValueError, match="images differ"):
        _calib.gap(_image(floats, Need(), 0), _image(stored[:, :1], Need(), 0), 1.0)
