# cython: language_level=3
"""Instruction set in use."""

cdef extern from "cpu.h" nogil:
    ctypedef enum tpuc_isa:
        TPUC_ISA_PORTABLE
    tpuc_isa tpuc_cpu_isa()
    const char *tpuc_isa_name(tpuc_isa isa)


def isa_name() -> str:
    """Name of the instruction set that kernels use: portable, avx2 or vnni."""
    return tpuc_isa_name(tpuc_cpu_isa()).decode()
