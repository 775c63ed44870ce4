# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridges to the float convolutions and products of csrc/float; callers validate."""

from libc.stdint cimport int32_t, int64_t

import numpy as np

from tpuc.kernels._float cimport End, tpuc_float_end
from tpuc.kernels._int8 cimport View, tpuc_image

cdef extern from "float/conv.h" nogil:
    ctypedef struct tpuc_float_conv:
        int32_t groups, strips, taps, terms, chunks, lanes, in_per_group, out_per_group
        int32_t stride_h, stride_w, top, left, skips
        const int32_t *tap_dy
        const int32_t *tap_dx
        const int32_t *strip
        const int32_t *chunk_end
        const float *weights
        const float *bias
        tpuc_float_end end
    void tpuc_float_conv_run(
        const tpuc_float_conv *, const tpuc_image *, const tpuc_image *, int)
    enum:
        TPUC_FLOAT_MAX_TAPS
        TPUC_FLOAT_WIDTH

cdef extern from "float/depthwise.h" nogil:
    ctypedef struct tpuc_float_depthwise:
        int32_t channels, rows, columns
        int32_t stride_h, stride_w, dilation_h, dilation_w, top, left
        const float *weights
        const float *bias
        tpuc_float_end end
    void tpuc_float_depthwise_run(
        const tpuc_float_depthwise *, const tpuc_image *, const tpuc_image *, int)

cdef extern from "float/product.h" nogil:
    ctypedef struct tpuc_float_product:
        int32_t terms, chunks
        const int32_t *chunk_end
        int32_t by_channel, left_transpose, right_transpose
        const float *right
        const float *bias
        tpuc_float_end end
    void tpuc_float_product_run(
        const tpuc_float_product *, const tpuc_image *, const tpuc_image *, const tpuc_image *,
        int)

cdef extern from "float/merge.h" nogil:
    void tpuc_float_merge(
        const float *, const float *, int64_t, int64_t, int64_t, int64_t, float *)

MAX_TAPS = TPUC_FLOAT_MAX_TAPS
WIDTH = TPUC_FLOAT_WIDTH


cdef class Conv:
    """Packed weights of a convolution; see csrc/float/conv.h."""

    cdef tpuc_float_conv conv
    cdef object kept

    def __init__(self, dict fields, const int32_t[:, ::1] taps, const int32_t[::1] chunks,
                 const int32_t[::1] strips, const float[::1] weights, const float[::1] bias):
        cdef End end = fields["end"]
        self.conv.groups, self.conv.taps = fields["groups"], taps.shape[1]
        self.conv.chunks, self.conv.lanes = chunks.shape[0], fields["lanes"]
        self.conv.terms = chunks[chunks.shape[0] - 1]
        self.conv.in_per_group = fields["in_per_group"]
        self.conv.out_per_group = fields["out_per_group"]
        self.conv.stride_h, self.conv.stride_w = fields["strides"]
        self.conv.top, self.conv.left = fields["origin"]
        self.conv.strips, self.conv.skips = strips.shape[0] - 1, fields["skips"]
        self.conv.tap_dy, self.conv.tap_dx = &taps[0, 0], &taps[1, 0]
        self.conv.strip, self.conv.chunk_end = &strips[0], &chunks[0]
        self.conv.weights, self.conv.bias, self.conv.end = &weights[0], &bias[0], end.end
        self.kept = (taps, chunks, strips, weights, bias)

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_float_conv_run(&self.conv, &source.image, &target.image, threads)


cdef class Depthwise:
    """Packed weights of a depthwise convolution; see csrc/float/depthwise.h."""

    cdef tpuc_float_depthwise conv
    cdef object kept

    def __init__(self, dict fields, const float[::1] weights, const float[::1] bias):
        cdef End end = fields["end"]
        self.conv.channels = fields["channels"]
        self.conv.rows, self.conv.columns = fields["window"]
        self.conv.stride_h, self.conv.stride_w = fields["strides"]
        self.conv.dilation_h, self.conv.dilation_w = fields["dilations"]
        self.conv.top, self.conv.left = fields["origin"]
        self.conv.weights, self.conv.bias, self.conv.end = &weights[0], &bias[0], end.end
        self.kept = (weights, bias)

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_float_depthwise_run(&self.conv, &source.image, &target.image, threads)


cdef class Product:
    """A product of matrices in images; see csrc/float/product.h."""

    cdef tpuc_float_product product
    cdef object kept

    def __init__(self, dict fields, const int32_t[::1] chunks, const float[::1] bias, right):
        cdef End end = fields["end"]
        cdef const float[::1] constant
        self.product.terms, self.product.chunks = chunks[chunks.shape[0] - 1], chunks.shape[0]
        self.product.chunk_end, self.product.bias = &chunks[0], &bias[0]
        self.product.by_channel = fields["by_channel"]
        self.product.left_transpose, self.product.right_transpose = fields["transposes"]
        self.product.right, self.product.end = NULL, end.end
        if right is not None:
            constant = right
            self.product.right = &constant[0]
        self.kept = (chunks, bias, right)

    def run(self, View a, View b, View target, int threads):
        with nogil:
            tpuc_float_product_run(&self.product, &a.image, &b.image, &target.image, threads)


def merged_filter(const float[:, :, ::1] second, const float[:, ::1] first):
    """sum over d of second[e, d, t] * first[d, c], in order: float32 (e, c, t)."""
    cdef Py_ssize_t e = second.shape[0], d = second.shape[1], t = second.shape[2]
    cdef Py_ssize_t c = first.shape[1]
    if first.shape[0] != d:
        raise ValueError("shapes differ")
    cdef float[:, :, ::1] out = np.zeros((e, c, t), np.float32)
    if e and d and c and t:
        with nogil:
            tpuc_float_merge(&second[0, 0, 0], &first[0, 0], e, d, c, t, &out[0, 0, 0])
    return np.asarray(out)
