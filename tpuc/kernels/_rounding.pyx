# cython: language_level=3, boundscheck=False, wraparound=False
"""Learned rounding, parallel over output channels; same results for any number of threads."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t
import numpy as np

cdef extern from "rounding.h" nogil:
    void tpuc_moments(
        const float *x, const float *d, int64_t n, int64_t count, double *h, double *cross)
    void tpuc_round_descent(
        const double *h, const double *cost, int64_t n, double *gradient, double *room)


def moments(const float[:, :, ::1] x, const float[:, :, ::1] d, int threads):
    """x x' and d x' of each group: float64 (G, n, n) twice, exact for whole numbers."""
    cdef Py_ssize_t g, groups = x.shape[0], n = x.shape[1], count = x.shape[2]
    if d.shape[0] != groups or d.shape[1] != n or d.shape[2] != count:
        raise ValueError("shapes differ")
    cdef double[:, :, ::1] h = np.zeros((groups, n, n), np.float64)
    cdef double[:, :, ::1] cross = np.zeros((groups, n, n), np.float64)
    if count:
        for g in prange(groups, nogil=True, num_threads=threads, schedule="static"):
            tpuc_moments(&x[g, 0, 0], &d[g, 0, 0], n, count, &h[g, 0, 0], &cross[g, 0, 0])
    return np.asarray(h), np.asarray(cross)


def descend(
        const double[:, :, ::1] h, double[:, :, ::1] gradient, double[:, :, ::1] room, int threads):
    """Descend in every row: `gradient` and `room` (G, rows, n) change; h is (G, n, n)."""
    cdef Py_ssize_t g, r, i, groups = room.shape[0], rows = room.shape[1], n = room.shape[2]
    if h.shape[0] != groups or h.shape[1] != n or h.shape[2] != n or gradient.shape[0] != groups \
            or gradient.shape[1] != rows or gradient.shape[2] != n:
        raise ValueError("shapes differ")
    if not (np.isfinite(gradient).all() and np.isfinite(h).all()):
        raise ValueError("not finite")
    diagonals = np.diagonal(h, axis1=1, axis2=2)[:, None, :]
    cdef const double[:, :, ::1] costs = np.where(np.equal(room, 0), np.inf, diagonals)
    for i in prange(groups * rows, nogil=True, num_threads=threads, schedule="dynamic"):
        g = i // rows
        r = i % rows
        tpuc_round_descent(&h[g, 0, 0], &costs[g, r, 0], n, &gradient[g, r, 0], &room[g, r, 0])
