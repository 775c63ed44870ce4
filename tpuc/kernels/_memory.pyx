# cython: language_level=3
"""Bridge to csrc/memory.h."""

cdef extern from "memory.h" nogil:
    int tpuc_keep_memory()


def keep_memory() -> bool:
    """Keep freed memory for later arrays of this process; False where that can not be asked for."""
    return tpuc_keep_memory() != 0
