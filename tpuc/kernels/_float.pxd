from libc.stdint cimport int32_t

cdef extern from "float/end.h" nogil:
    ctypedef enum tpuc_float_type:
        pass
    ctypedef struct tpuc_float_end:
        float low, high
        int32_t type


cdef class End:
    cdef tpuc_float_end end
