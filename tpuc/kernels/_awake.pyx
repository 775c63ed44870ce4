# cython: language_level=3
"""Bridge to csrc/awake.h."""

cdef extern from "awake.h" nogil:
    void tpuc_awake_begin(int)
    void tpuc_awake_end()


cdef class Awake:
    """A context in which up to `threads` threads stay awake between loops."""

    cdef int threads

    def __init__(self, int threads):
        self.threads = threads

    def __enter__(self):
        if self.threads > 1:
            tpuc_awake_begin(self.threads)
        return self

    def __exit__(self, *error):
        if self.threads > 1:
            tpuc_awake_end()
