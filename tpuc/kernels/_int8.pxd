from libc.stdint cimport int32_t, uint8_t

cdef extern from "image.h" nogil:
    ctypedef struct tpuc_image:
        uint8_t *data
        Py_ssize_t image, row, pixel
        int32_t n, h, w, c, top, left, bottom, right, zero, bias


cdef class View:
    cdef tpuc_image image
    cdef uint8_t[::1] buffer
