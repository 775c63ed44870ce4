# cython: language_level=3, boundscheck=False, wraparound=False
"""Images of float numbers, and the end of float results; callers validate."""

from libc.stdint cimport int64_t, uint8_t

import numpy as np

from tpuc.kernels._int8 cimport View, tpuc_image

cdef extern from "float/rows.h" nogil:
    void tpuc_float_load(const tpuc_image *, const float *, const tpuc_float_end *, int)
    void tpuc_float_gather(
        const tpuc_image *, const float *, const int64_t *, const tpuc_float_end *, int)
    void tpuc_float_store(const tpuc_image *, float *, int)


cdef class End:
    """Limits and type of a result; see csrc/float/end.h."""

    def __init__(self, float low, float high, int kind):
        self.end.low, self.end.high, self.end.type = low, high, kind


cdef class FloatView(View):
    """An image of float32 numbers."""

    @property
    def element(self):
        """Bytes of a number."""
        return 4

    def load(self, const uint8_t[::1] plain, int threads):
        cdef tpuc_float_end end = End(-float("inf"), float("inf"), 0).end
        with nogil:
            tpuc_float_load(&self.image, <const float *> &plain[0], &end, threads)

    def load_rounded(self, const float[::1] plain, End end, int threads):
        with nogil:
            tpuc_float_load(&self.image, &plain[0], &end.end, threads)

    def gather(self, const float[:, ::1] table, const int64_t[::1] places, End end, int threads):
        """Rows of a table, one for each channel of each picture."""
        with nogil:
            tpuc_float_gather(&self.image, &table[0, 0], &places[0], &end.end, threads)

    @property
    def block(self):
        """Its memory, halo included: float32 (pictures, numbers of one), no copy."""
        cdef Py_ssize_t first = self.image.data - &self.buffer[0]
        first -= self.image.top * self.image.row + self.image.left * self.image.pixel
        cdef Py_ssize_t size = self.image.n * self.image.image
        whole = np.asarray(self.buffer)[first : first + size]
        return whole.view(np.float32).reshape(self.image.n, -1)

    @property
    def pixels(self):
        """Its numbers: float32 (n, h, w, c), no copy."""
        return np.ndarray(
            (self.image.n, self.image.h, self.image.w, self.image.c), np.float32,
            np.asarray(self.buffer), self.image.data - &self.buffer[0],
            (self.image.image, self.image.row, self.image.pixel, 4))

    def store(self, uint8_t[::1] plain, int threads):
        with nogil:
            tpuc_float_store(&self.image, <float *> &plain[0], threads)
