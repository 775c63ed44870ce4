"""Element types of tensors.

An integer tensor of Graph[tpu] carries a `QuantType`: real value = scale * (q - zero_point). So
does an F8E4M3 tensor, whose zero point is 0.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

__all__ = ["DType", "QuantType"]


class DType(enum.StrEnum):
    """Storage type of one element; values as in TPU-MLIR's op names (`_si8`)."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    F8E4M3 = "f8e4m3"
    F8E5M2 = "f8e5m2"
    SI4 = "si4"
    UI4 = "ui4"
    SI8 = "si8"
    UI8 = "ui8"
    SI16 = "si16"
    UI16 = "ui16"
    SI32 = "si32"

    @property
    def is_float(self) -> bool:
        """True for F32, F16, BF16 and the 8-bit floats."""
        return self.is_float8 or self in (DType.F32, DType.F16, DType.BF16)

    @property
    def is_float8(self) -> bool:
        """True for F8E4M3 and F8E5M2."""
        return self in (DType.F8E4M3, DType.F8E5M2)

    @property
    def is_signed(self) -> bool:
        """True for floats and the `si` types."""
        return not self.value.startswith("ui")

    @property
    def bits(self) -> int:
        """Bits of one element."""
        return 8 if self.is_float8 else int(self.value.lstrip("bfsui"))

    @property
    def qrange(self) -> tuple[int, int]:
        """(qmin, qmax) of an integer type.

        Raises
        ------
        ValueError : the type is a float
        """
        if self.is_float:
            raise ValueError(f"{self} has no integer range")
        if self.is_signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1

    @property
    def numpy(self) -> np.dtype:
        """How the simulator holds it: 4-bit in a byte, shorter floats as rounded float32."""
        if self.is_float:
            return np.dtype(np.float32)
        kind = "int" if self.is_signed else "uint"
        return np.dtype(f"{kind}{max(self.bits, 8)}")


@dataclass(frozen=True)
class QuantType:
    """Affine quantization of a tensor: real = scale * (q - zero_point)."""

    scale: float
    zero_point: int = 0
