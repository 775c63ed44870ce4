"""Images of int32 numbers: sums that are not requantized yet."""

from __future__ import annotations

import numpy as np

from tpuc.kernels._int8 import View

__all__ = ["WordView"]


class WordView(View):
    """An image of int32 numbers."""

    @property
    def element(self) -> int:
        """Bytes of a number."""
        return 4

    def _axes(self) -> np.ndarray:
        image, row, pixel = self.strides
        steps = (image, 4, row, pixel)
        return np.ndarray(self.shape, np.int32, self.memory, self.origin, steps)

    def load(self, plain: np.ndarray, threads: int) -> None:
        """Contiguous NCHW to the image."""
        self._axes()[...] = np.asarray(plain).view(np.int32).reshape(self.shape)

    def store(self, plain: np.ndarray, threads: int) -> None:
        """The image to contiguous NCHW."""
        np.asarray(plain).view(np.int32).reshape(self.shape)[...] = self._axes()
