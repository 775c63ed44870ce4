# cython: language_level=3
"""Instruction set in use."""

cdef extern from "cpu.h" nogil:
    ctypedef enum tpuc_isa:
        TPUC_ISA_PORTABLE
        TPUC_ISA_VNNI
    tpuc_isa tpuc_cpu_isa()
    tpuc_isa tpuc_cpu_limit(tpuc_isa)
    const char *tpuc_isa_name(tpuc_isa isa)


def isa_name() -> str:
    """Name of the instruction set that kernels use: portable, avx2 or vnni."""
    return tpuc_isa_name(tpuc_cpu_isa()).decode()


def limit_isa(str name) -> str:
    """Use at most the named instruction set in this process from now on; return the one in use.

    Raises
    ------
    ValueError : no such name
    """
    for isa in range(TPUC_ISA_PORTABLE, TPUC_ISA_VNNI + 1):
        if tpuc_isa_name(<tpuc_isa> isa).decode() == name:
            return tpuc_isa_name(tpuc_cpu_limit(<tpuc_isa> isa)).decode()
    raise ValueError(f"instruction set '{name}': expected portable, avx2 or vnni")
