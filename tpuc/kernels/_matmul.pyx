# cython: language_level=3, boundscheck=False
"""Bridge to csrc/matmul.c: no checks here; `tpuc.kernels.matmul` validates."""

from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

cdef extern from "matmul.h" nogil:
    ctypedef struct tpuc_steps:
        Py_ssize_t row, column
    ctypedef struct tpuc_matmul:
        int64_t batches, m, n, k
        const int64_t *left_at
        const int64_t *right_at
        const int64_t *out_at
        const uint8_t *left
        const uint8_t *right
        uint8_t *out
        tpuc_steps left_step, right_step, out_step
        int32_t left_zero, right_zero, parts, low
        int64_t multiplier, rounding, rshift
        int32_t pieces, slots
        uint8_t *scratch
    int64_t tpuc_matmul_scratch(const tpuc_matmul *)
    void tpuc_matmul_run(const tpuc_matmul *, int)
    enum:
        TPUC_MATMUL_PARTS

PARTS = TPUC_MATMUL_PARTS


cdef uint8_t *start_of(array) except NULL:
    cdef size_t start = array.__array_interface__["data"][0]
    return <uint8_t *> start


cdef class Products:
    """Products of matrices in fixed places, which it keeps alive; see csrc/matmul.h."""

    cdef tpuc_matmul matmul
    cdef object kept

    def __init__(self, left, right, out, const int64_t[:, ::1] places, dict fields):
        self.matmul.batches = places.shape[1]
        self.matmul.m, self.matmul.k = left.shape[-2:]
        self.matmul.n = right.shape[-2]
        self.matmul.left, self.matmul.right = start_of(left), start_of(right)
        self.matmul.out = start_of(out)
        self.matmul.left_at, self.matmul.right_at = &places[0, 0], &places[1, 0]
        self.matmul.out_at = &places[2, 0]
        self.matmul.left_step.row, self.matmul.left_step.column = left.strides[-2:]
        self.matmul.right_step.row, self.matmul.right_step.column = right.strides[-2:]
        self.matmul.out_step.row, self.matmul.out_step.column = out.strides[-2:]
        self.matmul.left_zero, self.matmul.right_zero = fields["zeros"]
        self.matmul.parts, self.matmul.low = fields["parts"], fields["low"]
        self.matmul.multiplier, self.matmul.rounding, self.matmul.rshift = fields["requant"]
        self.matmul.pieces, self.matmul.slots = fields["pieces"], fields["slots"]
        scratch = np.empty(tpuc_matmul_scratch(&self.matmul) * self.matmul.slots + 64, np.uint8)
        self.matmul.scratch = start_of(scratch)
        self.matmul.scratch += -(<size_t> self.matmul.scratch) % 64
        self.kept = left, right, out, places, scratch

    def run(self, int threads):
        with nogil:
            tpuc_matmul_run(&self.matmul, threads)
