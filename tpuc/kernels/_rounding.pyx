# cython: language_level=3, boundscheck=False, wraparound=False
"""Learned rounding, parallel over output channels; same results for any number of threads."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t
import numpy as np

cdef extern from "rounding.h" nogil:
    void tpuc_round_descent(
        const double *h, const double *cost, int64_t n, double *gradient, double *room)


def descend(const double[:, ::1] h, double[:, ::1] gradient, double[:, ::1] room, int threads):
    """Descend in every row: `gradient` (rows, n) and `room` (rows, n) change; h is (n, n)."""
    cdef Py_ssize_t r, rows = room.shape[0], n = room.shape[1]
    if h.shape[0] != n or h.shape[1] != n or gradient.shape[0] != rows or gradient.shape[1] != n:
        raise ValueError("shapes differ")
    if not (np.isfinite(gradient).all() and np.isfinite(h).all()):
        raise ValueError("not finite")
    cdef const double[:, ::1] costs = np.where(np.equal(room, 0), np.inf, np.diagonal(h))
    for r in prange(rows, nogil=True, num_threads=threads, schedule="dynamic"):
        tpuc_round_descent(&h[0, 0], &costs[r, 0], n, &gradient[r, 0], &room[r, 0])
