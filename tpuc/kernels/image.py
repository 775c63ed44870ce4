"""Where an activation lies in memory for the C kernels (csrc/image.h).

8 bits:  stored byte = q + bias,  bias = 128 for SI8, 0 for UI8; zero = bias + zero point
int32:   as it is; pixels follow one another without a gap
floats:  float32 that the type can hold; pixels follow one another without a gap
address of (n, y, x, c) = origin + n * image + y * row + x * pixel + c * element
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tpuc.ir import DType, Value
from tpuc.kernels._float import FloatView
from tpuc.kernels._int8 import View
from tpuc.kernels.word_view import WordView

__all__ = [
    "Layout",
    "Need",
    "bias_of",
    "constant_image",
    "geometry",
    "is_bytes",
    "is_floats",
    "is_image",
    "layout_of",
    "pixel_bytes",
    "zero_of",
]

_BYTES = (DType.SI8, DType.UI8, DType.SI4, DType.UI4)
_TAIL = 64  # one whole vector may be read behind the last byte


@dataclass(frozen=True)
class Need:
    """What a kernel reads beyond a picture: halo in pixels, and pixels behind the last one."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0
    slack: int = 0

    def merge(self, other: Need) -> Need:
        """The smallest need that covers both."""
        return Need(
            max(self.top, other.top),
            max(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
            max(self.slack, other.slack),
        )

    @property
    def halo(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right)."""
        return self.top, self.left, self.bottom, self.right


def pixel_bytes(channels: int) -> int:
    """Bytes from one pixel to the next: whole vectors of 16, or of 4 for few channels."""
    step = 16 if channels >= 16 else 4
    return -(-channels // step) * step


def geometry(shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """(n, c, h, w) of a tensor of rank 2 to 6; None for others and for empty tensors.

    Of more than four dimensions, those between the second and the last are one.
    """
    if not all(shape) or len(shape) > 6:
        return None
    if len(shape) >= 4:
        return shape[0], shape[1], math.prod(shape[2:-1]), shape[-1]
    if len(shape) == 3:
        return shape[0], shape[1], 1, shape[2]
    return (shape[0], shape[1], 1, 1) if len(shape) == 2 else None


def bias_of(value: Value) -> int:
    """Byte less the stored integer."""
    return 128 if value.dtype in (DType.SI8, DType.SI4) else 0


def zero_of(value: Value) -> int:
    """Byte that stands for 0."""
    return bias_of(value) + (0 if value.quant is None else value.quant.zero_point)


def is_bytes(value: Value) -> bool:
    """True if the int8 kernels can hold the value: 8 or 4 bits, rank 2 to 6."""
    return value.dtype in _BYTES and geometry(value.shape) is not None


def is_floats(value: Value) -> bool:
    """True if the float kernels can hold the value: a float type, rank 2 to 6."""
    return value.dtype.is_float and geometry(value.shape) is not None


def is_image(value: Value) -> bool:
    """True if some kernels can hold the value."""
    return is_bytes(value) or is_floats(value)


@dataclass(frozen=True)
class Layout:
    """Sizes in bytes of one activation.

    Parameters
    ----------
    shape : (n, c, h, w)
    need : Need
        The widest of all readers.
    zero : int
        Byte that stands for 0.
    bias : int
        Byte less the stored integer, 0 or 128; that of `zero` if not given.
    element : int
        Bytes of a number: 1, or 4 for floats and int32.
    view_type : type
        What reads it.
    """

    shape: tuple[int, int, int, int]
    need: Need
    zero: int
    element: int = 1
    view_type: type[View] = View
    bias: int | None = None

    @property
    def strides(self) -> tuple[int, int, int]:
        """Bytes from picture to picture, row to row, pixel to pixel."""
        n, c, h, w = self.shape
        pixel = pixel_bytes(c) if self.element == 1 else c * self.element
        row = (self.need.left + w + self.need.right) * pixel
        return (self.need.top + h + self.need.bottom) * row, row, pixel

    @property
    def size(self) -> int:
        """Bytes including halo and slack."""
        image, _, pixel = self.strides
        return self.shape[0] * image + self.need.slack * pixel + _TAIL

    def view(self, buffer: np.ndarray, offset: int) -> View:
        """The image at `offset` of a uint8 buffer.

        Raises
        ------
        ValueError : the buffer is too short
        """
        if offset < 0 or offset + self.size > buffer.size:
            raise ValueError(f"image of {self.size} bytes at {offset}: buffer has {buffer.size}")
        _, row, pixel = self.strides
        origin = offset + self.need.top * row + self.need.left * pixel
        view = self.view_type(buffer, origin, self.shape, self.strides, self.need.halo, self.zero)
        if self.bias is not None:
            view.bias = self.bias
        return view


def layout_of(value: Value, need: Need) -> Layout:
    """Layout of an image value."""
    shape = geometry(value.shape)
    assert shape is not None
    if value.dtype == DType.SI32:
        return Layout(shape, need, 0, 4, WordView)
    if value.dtype.is_float:
        return Layout(shape, need, 0, 4, FloatView)
    return Layout(shape, need, zero_of(value), bias=bias_of(value))


def constant_image(data: np.ndarray, rank: int) -> FloatView:
    """A float32 constant as an image of a tensor of `rank`; missing dimensions in front are 1."""
    shape = geometry((1,) * (rank - data.ndim) + data.shape)
    assert shape is not None
    layout = Layout(shape, Need(), 0, 4, FloatView)
    view = layout.view(np.zeros(layout.size, np.uint8), 0)
    view.load(np.ascontiguousarray(data, np.float32).reshape(-1).view(np.uint8), 1)
    return view
