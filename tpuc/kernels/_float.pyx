# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridges to the float kernels of csrc/float: no checks here; the callers validate."""

from libc.stdint cimport int32_t, int64_t, uint8_t

import numpy as np

from tpuc.kernels._int8 cimport View, tpuc_image

cdef extern from "float/end.h" nogil:
    ctypedef enum tpuc_float_type:
        pass
    ctypedef struct tpuc_float_end:
        float low, high
        int32_t type

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

cdef extern from "float/rows.h" nogil:
    ctypedef enum tpuc_float_kind:
        pass
    void tpuc_float_pair_run(
        tpuc_float_kind, const tpuc_float_end *, const tpuc_image *, const tpuc_image *,
        const tpuc_image *, int)
    void tpuc_float_scaled_pair_run(
        tpuc_float_kind, const double *, const tpuc_float_end *, const tpuc_image *,
        const tpuc_image *, const tpuc_image *, int)
    void tpuc_float_copy_run(
        const tpuc_float_end *, const tpuc_image *, const tpuc_image *, int, int)
    void tpuc_float_from_bytes_run(
        float, const tpuc_float_end *, const tpuc_image *, const tpuc_image *, int)
    void tpuc_float_to_bytes_run(
        float, int, const tpuc_float_end *, const tpuc_image *, const tpuc_image *, int)
    int tpuc_float_table_run(
        const float *, tpuc_float_type, const tpuc_image *, const tpuc_image *, int)
    void tpuc_float_load(const tpuc_image *, const float *, const tpuc_float_end *, int)
    void tpuc_float_store(const tpuc_image *, float *, int)

cdef extern from "float/eight.h" nogil:
    ctypedef struct tpuc_float_eight:
        const double *steps
        int32_t count, type
    void tpuc_float_eight_run(const tpuc_float_eight *, const tpuc_image *, int)

cdef extern from "float/along.h" nogil:
    ctypedef struct tpuc_float_along:
        int32_t kind, rows
        const float *weight
        const float *bias
        float eps, factor
        tpuc_float_end end
    ctypedef enum tpuc_float_along_kind:
        TPUC_SOFTMAX, TPUC_SOFTMAX_CHANNELS, TPUC_LAYER_NORM, TPUC_RMS_NORM, TPUC_SUM
    void tpuc_float_along_run(
        const tpuc_float_along *, const tpuc_image *, const tpuc_image *, int)

cdef extern from "float/functions.h" nogil:
    ctypedef struct tpuc_float_function:
        int32_t mode
        double a, b
        tpuc_float_end end
    ctypedef enum tpuc_float_mode:
        TPUC_SIGMOID, TPUC_SILU, TPUC_TANH, TPUC_GELU, TPUC_TGELU, TPUC_QGELU, TPUC_HSIGMOID
        TPUC_HSWISH, TPUC_MISH, TPUC_SOFT_PLUS, TPUC_ELU, TPUC_EXP, TPUC_ERF, TPUC_SQRT
        TPUC_ABSVAL, TPUC_SOFT_SIGN, TPUC_LN, TPUC_LEAKY
    void tpuc_float_function_run(
        const tpuc_float_function *, const tpuc_image *, const tpuc_image *, int)

cdef extern from "float/pool.h" nogil:
    ctypedef struct tpuc_float_pool:
        int32_t maximum, exclude_pad
        int32_t kernel_h, kernel_w, stride_h, stride_w, top, left
        tpuc_float_end end
    void tpuc_float_pool_run(
        const tpuc_float_pool *, const tpuc_image *, const tpuc_image *, int)

MODES = {
    "SIGMOID": TPUC_SIGMOID, "SILU": TPUC_SILU, "TANH": TPUC_TANH, "GELU": TPUC_GELU,
    "TGELU": TPUC_TGELU, "QGELU": TPUC_QGELU, "HSIGMOID": TPUC_HSIGMOID, "HSWISH": TPUC_HSWISH,
    "MISH": TPUC_MISH, "SOFT_PLUS": TPUC_SOFT_PLUS, "ELU": TPUC_ELU, "EXP": TPUC_EXP,
    "ERF": TPUC_ERF, "SQRT": TPUC_SQRT, "ABSVAL": TPUC_ABSVAL, "SOFT_SIGN": TPUC_SOFT_SIGN,
    "LN": TPUC_LN, "LEAKY": TPUC_LEAKY,
}
MAX_TAPS = TPUC_FLOAT_MAX_TAPS
WIDTH = TPUC_FLOAT_WIDTH


cdef class End:
    """Limits and type of a result; see csrc/float/end.h."""

    cdef tpuc_float_end end

    def __init__(self, float low, float high, int kind):
        self.end.low, self.end.high, self.end.type = low, high, kind


cdef class FloatView(View):
    """An image of float32 numbers."""

    @property
    def element(self):
        """Bytes of a number."""
        return 4

    def load(self, const uint8_t[::1] plain, int threads):
        cdef tpuc_float_end end = End(-float("inf"), float("inf"), 0).end
        with nogil:
            tpuc_float_load(&self.image, <const float *> &plain[0], &end, threads)

    def load_rounded(self, const float[::1] plain, End end, int threads):
        with nogil:
            tpuc_float_load(&self.image, &plain[0], &end.end, threads)

    @property
    def block(self):
        """Its memory, halo included: float32 (pictures, numbers of one), no copy."""
        cdef Py_ssize_t first = self.image.data - &self.buffer[0]
        first -= self.image.top * self.image.row + self.image.left * self.image.pixel
        cdef Py_ssize_t size = self.image.n * self.image.image
        whole = np.asarray(self.buffer)[first : first + size]
        return whole.view(np.float32).reshape(self.image.n, -1)

    @property
    def pixels(self):
        """Its numbers: float32 (n, h, w, c), no copy."""
        return np.ndarray(
            (self.image.n, self.image.h, self.image.w, self.image.c), np.float32,
            np.asarray(self.buffer), self.image.data - &self.buffer[0],
            (self.image.image, self.image.row, self.image.pixel, 4))

    def store(self, uint8_t[::1] plain, int threads):
        with nogil:
            tpuc_float_store(&self.image, <float *> &plain[0], threads)


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


cdef class Pool:
    """A windowed maximum or average; see csrc/float/pool.h."""

    cdef tpuc_float_pool pool

    def __init__(self, bint maximum, bint exclude_pad, kernel, strides, origin, End end):
        self.pool.maximum, self.pool.exclude_pad, self.pool.end = maximum, exclude_pad, end.end
        self.pool.kernel_h, self.pool.kernel_w = kernel
        self.pool.stride_h, self.pool.stride_w = strides
        self.pool.top, self.pool.left = origin

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_float_pool_run(&self.pool, &source.image, &target.image, threads)


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


ALONG = {
    "softmax": TPUC_SOFTMAX, "softmax of channels": TPUC_SOFTMAX_CHANNELS,
    "layer norm": TPUC_LAYER_NORM, "rms norm": TPUC_RMS_NORM, "sum": TPUC_SUM,
}


cdef class Along:
    """An op along the rows of an image; see csrc/float/along.h."""

    cdef tpuc_float_along along
    cdef object kept

    def __init__(self, str kind, End end, weight=None, bias=None, float eps=0.0,
                 int rows=1, float factor=1.0):
        cdef const float[::1] array
        self.along.kind, self.along.end, self.along.eps = ALONG[kind], end.end, eps
        self.along.rows, self.along.factor = rows, factor
        self.along.weight = self.along.bias = NULL
        if weight is not None:
            array = weight
            self.along.weight = &array[0]
        if bias is not None:
            array = bias
            self.along.bias = &array[0]
        self.kept = (weight, bias)

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_float_along_run(&self.along, &source.image, &target.image, threads)


cdef class Function:
    """A function of one number; see csrc/float/functions.h."""

    cdef tpuc_float_function function

    def __init__(self, str mode, double a, double b, End end):
        self.function.mode, self.function.end = MODES[mode], end.end
        self.function.a, self.function.b = a, b

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_float_function_run(&self.function, &source.image, &target.image, threads)


def pair(int kind, End end, View a, View b, View target, int threads):
    """An element-wise op of two images; see csrc/float/rows.h."""
    with nogil:
        tpuc_float_pair_run(
            <tpuc_float_kind> kind, &end.end, &a.image, &b.image, &target.image, threads)


def scaled_pair(int kind, double a_scale, double b_scale, End end, View a, View b, View target,
                int threads):
    """A sum of two images in another scale; see csrc/float/rows.h."""
    cdef double[2] scales
    scales[0], scales[1] = a_scale, b_scale
    with nogil:
        tpuc_float_scaled_pair_run(<tpuc_float_kind> kind, scales, &end.end, &a.image, &b.image,
                                   &target.image, threads)


cdef class Eight:
    """Rounds images to 8-bit floats in place; see csrc/float/eight.h."""

    cdef tpuc_float_eight eight
    cdef object kept

    def __init__(self, int kind, steps=None):
        cdef const double[::1] array
        self.eight.steps, self.eight.count, self.eight.type = NULL, 0, kind
        if steps is not None:
            array = steps
            self.eight.steps, self.eight.count = &array[0], array.shape[0]
        self.kept = steps

    def run(self, View image, int threads):
        with nogil:
            tpuc_float_eight_run(&self.eight, &image.image, threads)


def copy(End end, View source, View target, int first, int threads):
    """Limited and rounded channels of `source` to channels `first`.. of `target`."""
    with nogil:
        tpuc_float_copy_run(&end.end, &source.image, &target.image, first, threads)


def from_bytes(float scale, End end, View source, View target, int threads):
    """8-bit numbers times a scale."""
    with nogil:
        tpuc_float_from_bytes_run(scale, &end.end, &source.image, &target.image, threads)


def to_bytes(float inverse, bint even, End end, View source, View target, int threads):
    """Numbers times a factor, rounded to 8 bits, halves away from zero or to even."""
    with nogil:
        tpuc_float_to_bytes_run(inverse, even, &end.end, &source.image, &target.image, threads)


def look_up(const float[::1] table, int kind, View source, View target, int threads):
    """A function of 16-bit floats; False if a number of `source` is none."""
    cdef int strange
    with nogil:
        strange = tpuc_float_table_run(
            &table[0], <tpuc_float_type> kind, &source.image, &target.image, threads)
    return strange == 0


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
