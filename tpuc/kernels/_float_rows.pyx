# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridges to the element-wise float ops, copies and casts of csrc/float; callers validate."""

from libc.stdint cimport int32_t

from tpuc.kernels._float cimport End, tpuc_float_end, tpuc_float_type
from tpuc.kernels._int8 cimport View, tpuc_image

cdef extern from "float/rows.h" nogil:
    ctypedef enum tpuc_float_kind:
        pass
    void tpuc_float_pair_run(
        tpuc_float_kind, const tpuc_float_end *, const tpuc_image *, const tpuc_image *,
        const tpuc_image *, int)
    void tpuc_float_scaled_pair_run(
        tpuc_float_kind, const double *, const tpuc_float_end *, const tpuc_image *,
        const tpuc_image *, const tpuc_image *, int)
    void tpuc_float_copy_run(
        const tpuc_float_end *, const tpuc_image *, const tpuc_image *, int, int)
    void tpuc_float_from_bytes_run(
        float, const tpuc_float_end *, const tpuc_image *, const tpuc_image *, int)
    void tpuc_float_to_bytes_run(
        float, int, const tpuc_float_end *, const tpuc_image *, const tpuc_image *, int)
    int tpuc_float_table_run(
        const float *, tpuc_float_type, const tpuc_image *, const tpuc_image *, int)

cdef extern from "float/eight.h" nogil:
    ctypedef struct tpuc_float_eight:
        const double *steps
        int32_t count, type
    void tpuc_float_eight_run(const tpuc_float_eight *, const tpuc_image *, int)


def pair(int kind, End end, View a, View b, View target, int threads):
    """An element-wise op of two images; see csrc/float/rows.h."""
    with nogil:
        tpuc_float_pair_run(
            <tpuc_float_kind> kind, &end.end, &a.image, &b.image, &target.image, threads)


def scaled_pair(int kind, double a_scale, double b_scale, End end, View a, View b, View target,
                int threads):
    """A sum of two images in another scale; see csrc/float/rows.h."""
    cdef double[2] scales
    scales[0], scales[1] = a_scale, b_scale
    with nogil:
        tpuc_float_scaled_pair_run(<tpuc_float_kind> kind, scales, &end.end, &a.image, &b.image,
                                   &target.image, threads)


cdef class Eight:
    """Rounds images to 8-bit floats in place; see csrc/float/eight.h."""

    cdef tpuc_float_eight eight
    cdef object kept

    def __init__(self, int kind, steps=None):
        cdef const double[::1] array
        self.eight.steps, self.eight.count, self.eight.type = NULL, 0, kind
        if steps is not None:
            array = steps
            self.eight.steps, self.eight.count = &array[0], array.shape[0]
        self.kept = steps

    def run(self, View image, int threads):
        with nogil:
            tpuc_float_eight_run(&self.eight, &image.image, threads)


def copy(End end, View source, View target, int first, int threads):
    """Limited and rounded channels of `source` to channels `first`.. of `target`."""
    with nogil:
        tpuc_float_copy_run(&end.end, &source.image, &target.image, first, threads)


def from_bytes(float scale, End end, View source, View target, int threads):
    """8-bit numbers times a scale."""
    with nogil:
        tpuc_float_from_bytes_run(scale, &end.end, &source.image, &target.image, threads)


def to_bytes(float inverse, bint even, End end, View source, View target, int threads):
    """Numbers times a factor, rounded to 8 bits, halves away from zero or to even."""
    with nogil:
        tpuc_float_to_bytes_run(inverse, even, &end.end, &source.image, &target.image, threads)


def look_up(const float[::1] table, int kind, View source, View target, int threads):
    """A function of 16-bit floats; False if a number of `source` is none."""
    cdef int strange
    with nogil:
        strange = tpuc_float_table_run(
            &table[0], <tpuc_float_type> kind, &source.image, &target.image, threads)
    return strange == 0
