# cython: language_level=3, boundscheck=False, wraparound=False
"""Calibration loops, parallel over samples; same results for any number of threads."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t
from tpuc.kernels._int8 cimport View, tpuc_image
import numpy as np

cdef extern from "calib/gap.h" nogil:
    enum: TPUC_GAP_SUMS
    void tpuc_gap(const tpuc_image *real, const tpuc_image *ours, float scale, double *sums,
                  double *error)

cdef extern from "calib/observe.h" nogil:
    void tpuc_observe(const float *x, int64_t n, double *out)
    void tpuc_abs_histogram(const float *x, int64_t n, float width, int64_t *counts, int64_t bins)
    double tpuc_octav(const float *x, int64_t n, double s, double quarter, float *scratch)
    double tpuc_absolute_deviation(const float *x, int64_t n, float mean)
    void tpuc_similarity(const float *a, const float *b, int64_t n, double *out)
    double tpuc_squared_distance(const float *a, const float *b, int64_t n)
    void tpuc_fake_quantize(const float *x, int64_t n, float scale, float *out)
    int64_t tpuc_kl_search(const int64_t *counts, int64_t n, int64_t group, float *p, float *q)


def observe(const float[:, ::1] x, int threads):
    """min, max, sum, sum |x|, non-zeros and finiteness of each row: float64 (rows, 6)."""
    cdef Py_ssize_t i, rows = x.shape[0], n = x.shape[1]
    cdef double[:, ::1] out = np.empty((rows, 6), np.float64)
    if n == 0:
        return np.asarray(out) * 0
    for i in prange(rows, nogil=True, num_threads=threads, schedule="static"):
        tpuc_observe(&x[i, 0], n, &out[i, 0])
    return np.asarray(out)


def histograms(
        const float[:, ::1] x, const float[::1] widths, const int64_t[::1] bins, int threads):
    """Histogram of |x| of each row: int64 (rows, max(bins)); a width <= 0 leaves its row empty."""
    cdef Py_ssize_t i, rows = x.shape[0], n = x.shape[1]
    cdef int64_t[:, ::1] out = np.zeros((rows, int(np.max(bins))), np.int64)
    for i in prange(rows, nogil=True, num_threads=threads, schedule="static"):
        if widths[i] > 0:
            tpuc_abs_histogram(&x[i, 0], n, widths[i], &out[i, 0], bins[i])
    return np.asarray(out)


def octav(const float[:, ::1] x, const double[::1] starts, const double[::1] quarters):
    """Clipping scale of each row: float64 (rows,)."""
    cdef Py_ssize_t i, rows = x.shape[0], n = x.shape[1]
    cdef double[::1] out = np.empty(rows, np.float64)
    cdef float[::1] scratch = np.empty(max(n, 1), np.float32)
    with nogil:
        for i in range(rows):
            out[i] = tpuc_octav(&x[i, 0], n, starts[i], quarters[i], &scratch[0])
    return np.asarray(out)


def absolute_deviation(const float[:, ::1] x, const float[::1] means, int threads):
    """sum |x - mean| of each row: float64 (rows,)."""
    cdef Py_ssize_t i, rows = x.shape[0], n = x.shape[1]
    cdef double[::1] out = np.empty(rows, np.float64)
    for i in prange(rows, nogil=True, num_threads=threads, schedule="static"):
        out[i] = tpuc_absolute_deviation(&x[i, 0], n, means[i])
    return np.asarray(out)


def similarity(const float[:, ::1] a, const float[:, ::1] b, int threads):
    """Sums of a*b, a*a, b*b, a, a-b and (a-b)**2 of each pair of rows: float64 (rows, 6)."""
    cdef Py_ssize_t i, rows = a.shape[0], n = a.shape[1]
    if b.shape[0] != rows or b.shape[1] != n:
        raise ValueError("shapes differ")
    cdef double[:, ::1] out = np.zeros((rows, 6), np.float64)
    if n:
        for i in prange(rows, nogil=True, num_threads=threads, schedule="static"):
            tpuc_similarity(&a[i, 0], &b[i, 0], n, &out[i, 0])
    return np.asarray(out)


def gap(View real, View ours, float scale):
    """How far bytes are from floats: sums of x y, x x, y y and (x - y)**2 of each picture, and of
    x - y for each of its channels; float64 (pictures, 4) and (pictures, channels)."""
    if real.shape != ours.shape or real.element != 4 or ours.element != 1:
        raise ValueError("images differ")
    cdef double[:, ::1] sums = np.empty((real.image.n, TPUC_GAP_SUMS), np.float64)
    cdef double[:, ::1] error = np.empty((real.image.n, real.image.c), np.float64)
    with nogil:
        tpuc_gap(&real.image, &ours.image, scale, &sums[0, 0], &error[0, 0])
    return np.asarray(sums), np.asarray(error)


def fake_quantize(const float[::1] x, float scale, float[::1] out):
    """out = clip(rint(x * scale), -128, 127) / scale, float32."""
    cdef Py_ssize_t n = x.shape[0]
    if out.shape[0] != n:
        raise ValueError("lengths differ")
    if n:
        with nogil:
            tpuc_fake_quantize(&x[0], n, scale, &out[0])


def squared_distance(const float[:, ::1] a, const float[:, ::1] b):
    """sum (a - b)**2 of each pair of rows: float64 (rows,)."""
    cdef Py_ssize_t i, rows = a.shape[0], n = a.shape[1]
    if b.shape[0] != rows or b.shape[1] != n:
        raise ValueError("shapes differ")
    cdef double[::1] out = np.zeros(rows, np.float64)
    if n:
        with nogil:
            for i in range(rows):
                out[i] = tpuc_squared_distance(&a[i, 0], &b[i, 0], n)
    return np.asarray(out)


def kl_search(const int64_t[::1] counts, int group):
    """Best number of groups minus 1 for counts whose length is a multiple of `group`."""
    cdef Py_ssize_t n = counts.shape[0]
    cdef float[::1] p = np.empty(n, np.float32)
    cdef float[::1] q = np.empty(n, np.float32)
    cdef int64_t best
    with nogil:
        best = tpuc_kl_search(&counts[0], n, group, &p[0], &q[0])
    return best
