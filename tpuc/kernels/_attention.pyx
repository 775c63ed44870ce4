# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridge to csrc/attention.c: no checks here; `tpuc.kernels.attention` validates."""

import threading

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t

import numpy as np

cdef extern from "attention.h" nogil:
    ctypedef struct tpuc_attention_words:
        int64_t multiplier, shift
    ctypedef struct tpuc_attention_matrix:
        const int8_t *weights
        const int32_t *bias
        int32_t terms, columns
    ctypedef struct tpuc_attention:
        tpuc_attention_matrix query, key, value, out
        tpuc_attention_words query_words, key_words, value_words, score_words, mixed_words
        const float *table
        float scale
    ctypedef struct tpuc_attention_run_on:
        int64_t batch, tokens, mask_batch
        const int8_t *x
        const int32_t *mask
        int32_t *y
        uint8_t *scratch
    int64_t tpuc_attention_scratch(const tpuc_attention **, int64_t, int64_t, int64_t)
    void tpuc_attention_run(const tpuc_attention **, int64_t, const tpuc_attention_run_on *, int)
    void tpuc_add_plain(const int32_t *, const int32_t *, int32_t *, int64_t, int)
    void tpuc_requant_plain(const int32_t *, int8_t *, int64_t, tpuc_attention_words, int)


# Memory that the heads of a thread use one after the other.
_local = threading.local()


cdef uint8_t[::1] scratch_of(int64_t size):
    cdef object kept = getattr(_local, "scratch", None)
    if kept is None or kept.shape[0] < size:
        kept = np.empty(size, np.uint8)
        _local.scratch = kept
    return kept


cdef void take(tpuc_attention_matrix *to, tuple matrix):
    cdef const int8_t[::1] weights = matrix[0]
    cdef const int32_t[::1] bias = matrix[1]
    to.weights, to.bias = &weights[0], &bias[0]
    to.terms, to.columns = matrix[2], matrix[3]


cdef class Attention:
    """One head with packed matrices; see csrc/attention.h.

    matrices: (weights, bias, terms, columns) of q, k, v and the output.
    words: (multiplier, shift) of q, k, v, the scores and what is mixed.
    """

    cdef tpuc_attention op
    cdef object kept

    def __init__(self, list matrices, list words, const float[::1] table, float scale):
        take(&self.op.query, matrices[0])
        take(&self.op.key, matrices[1])
        take(&self.op.value, matrices[2])
        take(&self.op.out, matrices[3])
        self.op.query_words.multiplier, self.op.query_words.shift = words[0]
        self.op.key_words.multiplier, self.op.key_words.shift = words[1]
        self.op.value_words.multiplier, self.op.value_words.shift = words[2]
        self.op.score_words.multiplier, self.op.score_words.shift = words[3]
        self.op.mixed_words.multiplier, self.op.mixed_words.shift = words[4]
        self.op.table, self.op.scale = &table[0], scale
        self.kept = matrices, table

    @property
    def columns(self):
        """Width of the result."""
        return self.op.out.columns


def run_heads(list heads, const int8_t[:, :, ::1] x, const int32_t[:, ::1] mask,
              int32_t[:, :, ::1] y, int threads):
    """y = the sum of what the heads make of x; mask: (1 or batch, tokens), or None."""
    cdef Attention head
    cdef tpuc_attention_run_on on
    cdef int64_t index, count = len(heads)
    cdef size_t[::1] places = np.empty(count, np.uintp)
    for index, head in enumerate(heads):
        places[index] = <size_t> &head.op
    cdef const tpuc_attention **ops = <const tpuc_attention **> &places[0]
    on.batch, on.tokens = x.shape[0], x.shape[1]
    on.x, on.y = &x[0, 0, 0], &y[0, 0, 0]
    on.mask, on.mask_batch = NULL, 1
    if mask is not None:
        on.mask, on.mask_batch = &mask[0, 0], mask.shape[0]
    cdef int64_t size = tpuc_attention_scratch(ops, count, on.batch, on.tokens)
    cdef uint8_t[::1] scratch = scratch_of(size + 64)
    on.scratch = &scratch[0] + (-(<size_t> &scratch[0])) % 64
    with nogil:
        tpuc_attention_run(ops, count, &on, threads)


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
