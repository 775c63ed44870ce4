# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridge to csrc/attention.c: no checks here; `tpuc.kernels.attention` validates."""

import threading

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free

from tpuc.kernels._int8 cimport View

import numpy as np

cdef extern from "attention.h" nogil:
    ctypedef struct tpuc_attention_words:
        int64_t multiplier, shift
    ctypedef struct tpuc_attention:
        int32_t width, depth, query, key, value, mixed
        tpuc_attention_words score_words, mixed_words
        const float *table
        float scale
    ctypedef struct tpuc_attention_run_on:
        int64_t batch, tokens, mask_batch
        const uint8_t *parts
        Py_ssize_t part_pitch, mixed_pitch
        const int32_t *mask
        uint8_t *mixed
        uint8_t *scratch
    ctypedef struct tpuc_attention_matrix:
        const int8_t *weights
        const int32_t *bias
        int32_t terms, columns
    int64_t tpuc_attention_scratch(const tpuc_attention *, int64_t, int64_t, int64_t)
    void tpuc_attention_run(const tpuc_attention *, int64_t, const tpuc_attention_run_on *, int)
    void tpuc_attention_sums(
        const tpuc_attention_matrix *, const uint8_t *, Py_ssize_t, int64_t, int32_t *, int)
    void tpuc_add_plain(const int32_t *, const int32_t *, int32_t *, int64_t, int)
    void tpuc_requant_plain(const int32_t *, int8_t *, int64_t, tpuc_attention_words, int)


# Memory that the kernels of a thread use one after the other.
_local = threading.local()


def scratch_of(int64_t size):
    """Memory of the calling thread, at least `size` bytes, aligned to 64."""
    kept = getattr(_local, "scratch", None)
    if kept is None or kept.shape[0] < size:
        raw = np.empty(size + 64, np.uint8)
        kept = raw[-raw.ctypes.data % 64:]
        _local.scratch = kept
    return kept


cdef class Mixer:
    """What heads mix of their values; see csrc/attention.h.

    heads: (width, depth, (query, key, value, mixed), words of the scores and of what is mixed,
    table, scale); words: (multiplier, shift).
    """

    cdef tpuc_attention *heads
    cdef int64_t count
    cdef object kept

    def __cinit__(self, list heads):
        self.count = len(heads)
        self.heads = <tpuc_attention *> calloc(self.count, sizeof(tpuc_attention))
        if self.heads == NULL:
            raise MemoryError()

    def __init__(self, list heads):
        cdef const float[::1] table
        cdef tpuc_attention *to
        for index, (width, depth, places, score, mixed, numbers, scale) in enumerate(heads):
            to, table = &self.heads[<int64_t> index], numbers
            to.width, to.depth, to.table, to.scale = width, depth, &table[0], scale
            to.query, to.key, to.value, to.mixed = places
            to.score_words.multiplier, to.score_words.shift = score
            to.mixed_words.multiplier, to.mixed_words.shift = mixed
        self.kept = heads

    def __dealloc__(self):
        free(self.heads)

    def run(self, View parts, View mixed, const int32_t[:, ::1] mask, int64_t batch, int threads):
        """Rows of q, k, v to rows of what is mixed; mask: (1 or batch, tokens), or None."""
        cdef tpuc_attention_run_on on
        on.batch, on.tokens = batch, parts.image.n // batch
        on.parts, on.part_pitch = parts.image.data, parts.image.image
        on.mixed, on.mixed_pitch = mixed.image.data, mixed.image.image
        on.mask, on.mask_batch = NULL, 1
        if mask is not None:
            on.mask, on.mask_batch = &mask[0, 0], mask.shape[0]
        cdef uint8_t[::1] scratch = scratch_of(
            tpuc_attention_scratch(self.heads, self.count, batch, on.tokens))
        on.scratch = &scratch[0]
        with nogil:
            tpuc_attention_run(self.heads, self.count, &on, threads)


cdef class Sums:
    """The product of rows of bytes and a packed matrix (terms, columns), in int32."""

    cdef tpuc_attention_matrix matrix
    cdef object kept

    def __init__(self, const int8_t[::1] weights, const int32_t[::1] bias, int terms, int columns):
        self.matrix.weights, self.matrix.bias = &weights[0], &bias[0]
        self.matrix.terms, self.matrix.columns = terms, columns
        self.kept = weights, bias

    def run(self, View x, int32_t[:, ::1] y, int threads):
        with nogil:
            tpuc_attention_sums(
                &self.matrix, x.image.data, x.image.image, x.image.n, &y[0, 0], threads)


def requant(const int32_t[::1] x, int8_t[::1] out, int64_t multiplier, int64_t shift, int threads):
    """out = cut to int8 of (x * multiplier) >> shift, halves away from zero."""
    cdef tpuc_attention_words words
    words.multiplier, words.shift = multiplier, shift
    with nogil:
        tpuc_requant_plain(&x[0], &out[0], x.shape[0], words, threads)


def add(const int32_t[::1] x, const int32_t[::1] y, int32_t[::1] out, int threads):
    """out = x + y, cut to int32."""
    with nogil:
        tpuc_add_plain(&x[0], &y[0], &out[0], x.shape[0], threads)
