# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridge to csrc/deconv.c: no checks here; `tpuc.kernels.deconv` validates."""

from libc.stdint cimport int16_t, int32_t, int64_t

from tpuc.kernels._int8 cimport View, tpuc_image

cdef extern from "deconv.h" nogil:
    ctypedef struct tpuc_deconv:
        int32_t groups, in_per_group, out_per_group
        int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left
        const int16_t *weights
        const int32_t *bias
    void tpuc_deconv_run(const tpuc_deconv *, const tpuc_image *, const tpuc_image *, int)
    ctypedef struct tpuc_requant_axis:
        const int64_t *m
        const int64_t *r
        const int64_t *s
        int32_t low, two_steps, zero
    void tpuc_requant_axis_run(
        const tpuc_requant_axis *, const tpuc_image *, const tpuc_image *, int)


cdef class Deconv:
    """Packed weights of a transposed convolution; see csrc/deconv.h."""

    cdef tpuc_deconv deconv
    cdef object kept

    def __init__(self, groups, kernel, strides, dilations, origin,
                 const int16_t[::1] weights, const int32_t[::1] bias):
        self.deconv.groups, self.deconv.in_per_group, self.deconv.out_per_group = groups
        self.deconv.kernel_h, self.deconv.kernel_w = kernel
        self.deconv.stride_h, self.deconv.stride_w = strides
        self.deconv.dilation_h, self.deconv.dilation_w = dilations
        self.deconv.top, self.deconv.left = origin
        self.deconv.weights, self.deconv.bias = &weights[0], &bias[0]
        self.kept = weights, bias

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_deconv_run(&self.deconv, &source.image, &target.image, threads)


cdef class RequantAxis:
    """Multipliers, rounding and shifts by channel; see csrc/deconv.h."""

    cdef tpuc_requant_axis op
    cdef object kept

    def __init__(self, const int64_t[::1] m, const int64_t[::1] r, const int64_t[::1] s, int low,
                 bint two_steps=False, int zero=0):
        self.op.m, self.op.r, self.op.s, self.op.low = &m[0], &r[0], &s[0], low
        self.op.two_steps, self.op.zero = two_steps, zero
        self.kept = m, r, s

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_requant_axis_run(&self.op, &source.image, &target.image, threads)
