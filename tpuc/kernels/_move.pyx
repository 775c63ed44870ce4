# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridge to csrc/move.c: no checks here; `tpuc.kernels.strided` validates."""

from libc.stdint cimport int32_t, int64_t, uint8_t

cdef extern from "move.h" nogil:
    ctypedef struct tpuc_move:
        const uint8_t *input "in"
        uint8_t *out
        int32_t dims, element
        int64_t *count
        Py_ssize_t *in_step
        Py_ssize_t *out_step
    void tpuc_move_run(const tpuc_move *, int)
    enum:
        TPUC_MOVE_DIMS

MAX_DIMS = TPUC_MOVE_DIMS


cdef class Move:
    """A strided copy between two arrays, which it keeps alive."""

    cdef tpuc_move move
    cdef object kept

    def __init__(self, source, target, counts, in_steps, out_steps):
        cdef size_t start = source.__array_interface__["data"][0]
        cdef size_t end = target.__array_interface__["data"][0]
        self.move.input, self.move.out = <const uint8_t *> start, <uint8_t *> end
        self.move.dims, self.move.element = len(counts), target.itemsize
        for i in range(len(counts)):
            self.move.count[i] = counts[i]
            self.move.in_step[i], self.move.out_step[i] = in_steps[i], out_steps[i]
        self.kept = source, target

    def run(self, int threads):
        with nogil:
            tpuc_move_run(&self.move, threads)
