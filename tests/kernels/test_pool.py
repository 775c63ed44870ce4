"""Pooling: every instruction set equals the numpy reference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kernels.single_op import check, single_op
from tpuc.ir import DType, Graph
from tpuc.ir.shapes import infer_shapes

TYPES = [DType.SI8, DType.UI8]


def build(shape: tuple[int, ...], types: tuple[DType, DType], mode: str, **attrs: Any) -> Graph:
    fields = {"pool_mode": mode, "strides": (1, 1), "pads": (0, 0, 0, 0), **attrs}
    if mode == "Avg":
        fields.setdefault("multiplier", 57)
        fields.setdefault("rshift", 9)
    graph = single_op("Pool2D", [(shape, types[0])], ((1,), types[1]), fields)
    graph.outputs[0].shape = infer_shapes(graph.nodes[-1])[0]
    return graph


WINDOWS: dict[str, dict[str, Any]] = {
    "1x1": {"kernel_shape": (1, 1)},
    "3x3": {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)},
    "2x3": {"kernel_shape": (2, 3), "strides": (1, 2), "pads": (0, 1, 1, 2)},
    "whole": {"kernel_shape": (7, 6)},
}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("types", [(a, b) for a in TYPES for b in TYPES])
@pytest.mark.parametrize("relu", [False, True])
def test_max(window: str, types: tuple[DType, DType], relu: bool, isa: str) -> None:
    for channels in (1, 16, 67):
        check(build((2, channels, 7, 6), types, "Max", do_relu=relu, **WINDOWS[window]))


def test_max_outside_of_the_picture(isa: str) -> None:
    far = {"kernel_shape": (2, 2), "pads": (3, 3, 3, 3)}
    check(build((1, 5, 3, 3), (DType.SI8, DType.SI8), "Max", **far))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("types", [(a, b) for a in TYPES for b in TYPES])
@pytest.mark.parametrize("include", [False, True])
def test_average(window: str, types: tuple[DType, DType], include: bool, isa: str) -> None:
    fields = {"count_include_pad": include, **WINDOWS[window]}
    for channels in (1, 16, 67):
        for mode in ("HalfAwayFromZero", "HalfUp"):
            check(build((2, channels, 7, 6), types, "Avg", round_mode=mode, **fields))


@pytest.mark.parametrize("rshift", [-2, 0, 1, 31])
def test_shifts(rshift: int, isa: str) -> None:
    graph = build((1, 20, 4, 4), TYPES[:1] * 2, "Avg", kernel_shape=(2, 2), rshift=rshift)
    check(graph)


def test_vector_output(isa: str) -> None:
    check(build((3, 20, 4, 5), TYPES[:1] * 2, "Avg", kernel_shape=(4, 5), keepdims=False))
