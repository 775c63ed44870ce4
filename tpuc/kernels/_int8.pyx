# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridges to the int8 kernels of csrc: no checks here; `tpuc.kernels.int8` validates."""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t

cdef extern from "image.h" nogil:
    void tpuc_image_fill_halo(const tpuc_image *, int)
    void tpuc_image_load(const tpuc_image *, const uint8_t *, int)
    void tpuc_image_store(const tpuc_image *, uint8_t *, int)
    void tpuc_image_quantize(const tpuc_image *, const float *, float, int, int)
    void tpuc_image_dequantize(const tpuc_image *, float *, float, int, int)

cdef extern from "requant.h" nogil:
    ctypedef struct tpuc_requant:
        pass

cdef extern from "conv.h" nogil:
    ctypedef struct tpuc_strip:
        int32_t first, width
        int64_t offset
    ctypedef struct tpuc_conv:
        int32_t groups, strips, taps, k4, in_per_group, out_per_group
        int32_t stride_h, stride_w, top, left, low, rounding
        const int32_t *tap_dy
        const int32_t *tap_dx
        const tpuc_strip *strip
        int64_t group_weights
        const int8_t *weights
        const tpuc_requant *requant
    void tpuc_conv_run(const tpuc_conv *, const tpuc_image *, const tpuc_image *, int)
    enum:
        TPUC_MAX_TAPS

cdef extern from "depthwise.h" nogil:
    ctypedef struct tpuc_depthwise:
        int32_t channels, rows, vectors, step
        int32_t stride_h, stride_w, dilation_w, top, left, low, rounding
        const int32_t *row_dy
        const int8_t *weights
        const tpuc_requant *requant
    void tpuc_depthwise_run(const tpuc_depthwise *, const tpuc_image *, const tpuc_image *, int)
    enum:
        TPUC_MAX_WINDOW_ROWS

cdef extern from "eltwise.h" nogil:
    ctypedef struct tpuc_eltwise:
        int32_t kind, sign, m0, m1, s0, s1, low
    void tpuc_eltwise_run(
        const tpuc_eltwise *, const tpuc_image *, const tpuc_image *, const tpuc_image *, int)
    void tpuc_table_run(const uint8_t *, const tpuc_image *, const tpuc_image *, int)
    void tpuc_copy_channels(const tpuc_image *, const tpuc_image *, int, int, int)

cdef extern from "softmax.h" nogil:
    void tpuc_softmax_run(
        const float *, float, const tpuc_image *, const tpuc_image *, int, int)

cdef extern from "scale.h" nogil:
    ctypedef struct tpuc_scale:
        const int32_t *m
        const int32_t *b
        const int32_t *s
        int32_t least, most, low
    void tpuc_scale_run(const tpuc_scale *, const tpuc_image *, const tpuc_image *, int)

cdef extern from "pool.h" nogil:
    ctypedef struct tpuc_pool:
        int32_t maximum, exclude_pad
        int32_t kernel_h, kernel_w, stride_h, stride_w, top, left
        int32_t multiplier, rshift, low, affine
        double scale, offset
    void tpuc_pool_run(const tpuc_pool *, const tpuc_image *, const tpuc_image *, int)

MAX_TAPS = TPUC_MAX_TAPS
MAX_WINDOW_ROWS = TPUC_MAX_WINDOW_ROWS


cdef class View:
    """An image inside a buffer that the view keeps alive."""

    def __init__(self, uint8_t[::1] buffer, Py_ssize_t origin, shape, strides, halo, int zero):
        self.buffer = buffer
        self.image.data = &buffer[0] + origin
        self.image.n, self.image.c, self.image.h, self.image.w = shape
        self.image.image, self.image.row, self.image.pixel = strides
        self.image.top, self.image.left, self.image.bottom, self.image.right = halo
        self.image.zero = self.image.bias = zero

    @property
    def shape(self):
        """(n, c, h, w)."""
        return self.image.n, self.image.c, self.image.h, self.image.w

    @property
    def strides(self):
        """Bytes from picture to picture, row to row, pixel to pixel."""
        return self.image.image, self.image.row, self.image.pixel

    @property
    def element(self):
        """Bytes of a number."""
        return 1

    @property
    def zero(self):
        """Byte that stands for 0."""
        return self.image.zero

    @property
    def bias(self):
        """Byte less the stored integer."""
        return self.image.bias

    @bias.setter
    def bias(self, int bias):
        self.image.bias = bias

    @property
    def memory(self):
        """The buffer."""
        return self.buffer.base

    @property
    def origin(self):
        """Offset of the first number in the buffer."""
        return self.image.data - &self.buffer[0]

    def fill_halo(self, int threads):
        with nogil:
            tpuc_image_fill_halo(&self.image, threads)

    def load(self, const uint8_t[::1] plain, int threads):
        with nogil:
            tpuc_image_load(&self.image, &plain[0], threads)

    def store(self, uint8_t[::1] plain, int threads):
        with nogil:
            tpuc_image_store(&self.image, &plain[0], threads)

    def quantize(self, const float[::1] plain, float inverse, int threads, bint even=False):
        with nogil:
            tpuc_image_quantize(&self.image, &plain[0], inverse, even, threads)

    def dequantize(self, float[::1] plain, float scale, int threads, bint brief=False):
        with nogil:
            tpuc_image_dequantize(&self.image, &plain[0], scale, brief, threads)


cdef class Conv:
    """Packed weights of a convolution; see csrc/conv.h."""

    cdef tpuc_conv conv
    cdef object kept

    def __init__(self, dict fields, const int32_t[::1] dy, const int32_t[::1] dx,
                 const int64_t[:, ::1] strips, const int8_t[::1] weights,
                 const int64_t[::1] requant):
        self.conv.groups, self.conv.taps, self.conv.k4 = fields["groups"], dy.shape[0], fields["k4"]
        self.conv.in_per_group = fields["in_per_group"]
        self.conv.out_per_group = fields["out_per_group"]
        self.conv.stride_h, self.conv.stride_w = fields["strides"]
        self.conv.top, self.conv.left = fields["origin"]
        self.conv.low, self.conv.rounding = fields["low"], fields["rounding"]
        self.conv.strips = strips.shape[0]
        self.conv.group_weights = fields["group_weights"]
        packed = bytearray(sizeof(tpuc_strip) * strips.shape[0])
        cdef uint8_t[::1] raw = packed
        cdef tpuc_strip *strip = <tpuc_strip *> &raw[0]
        for i in range(strips.shape[0]):
            strip[i].first, strip[i].width = <int32_t> strips[i, 0], <int32_t> strips[i, 1]
            strip[i].offset = strips[i, 2]
        self.conv.tap_dy, self.conv.tap_dx, self.conv.strip = &dy[0], &dx[0], strip
        self.conv.weights = &weights[0]
        self.conv.requant = <const tpuc_requant *> &requant[0]
        self.kept = (dy, dx, raw, weights, requant)

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_conv_run(&self.conv, &source.image, &target.image, threads)


cdef class Depthwise:
    """Packed weights of a depthwise convolution; see csrc/depthwise.h."""

    cdef tpuc_depthwise conv
    cdef object kept

    def __init__(self, dict fields, const int32_t[::1] dy, const int8_t[::1] weights,
                 const int64_t[::1] requant):
        self.conv.channels, self.conv.rows = fields["channels"], dy.shape[0]
        self.conv.vectors, self.conv.step = fields["vectors"], fields["step"]
        self.conv.stride_h, self.conv.stride_w = fields["strides"]
        self.conv.dilation_w = fields["dilation_w"]
        self.conv.top, self.conv.left = fields["origin"]
        self.conv.low, self.conv.rounding = fields["low"], fields["rounding"]
        self.conv.row_dy = &dy[0]
        self.conv.weights = &weights[0]
        self.conv.requant = <const tpuc_requant *> &requant[0]
        self.kept = (dy, weights, requant)

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_depthwise_run(&self.conv, &source.image, &target.image, threads)


cdef class Eltwise:
    """An element-wise op of two images; see csrc/eltwise.h."""

    cdef tpuc_eltwise op

    def __init__(self, int kind, int sign, multipliers, shifts, int low):
        self.op.kind, self.op.sign, self.op.low = kind, sign, low
        self.op.m0, self.op.m1 = multipliers
        self.op.s0, self.op.s1 = shifts

    def run(self, View a, View b, View target, int threads):
        with nogil:
            tpuc_eltwise_run(&self.op, &a.image, &b.image, &target.image, threads)


cdef class Table:
    """A function of stored bytes; see csrc/eltwise.h."""

    cdef const uint8_t[::1] table

    def __init__(self, const uint8_t[::1] table):
        self.table = table

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_table_run(&self.table[0], &source.image, &target.image, threads)


cdef class Softmax:
    """Softmax over channels; see csrc/softmax.h."""

    cdef const float[::1] table
    cdef float scale
    cdef int low

    def __init__(self, const float[::1] table, float scale, int low):
        self.table, self.scale, self.low = table, scale, low

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_softmax_run(
                &self.table[0], self.scale, &source.image, &target.image, self.low, threads)


cdef class Scale:
    """Scaling by channel with sums of 16 bits; see csrc/scale.h."""

    cdef const int32_t[:, ::1] words
    cdef tpuc_scale scale

    def __init__(self, const int32_t[:, ::1] words, int least, int most, int low):
        self.words = words
        self.scale.m, self.scale.b, self.scale.s = &words[0, 0], &words[1, 0], &words[2, 0]
        self.scale.least, self.scale.most, self.scale.low = least, most, low

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_scale_run(&self.scale, &source.image, &target.image, threads)


cdef class Pool:
    """A windowed maximum or average; see csrc/pool.h."""

    cdef tpuc_pool pool

    def __init__(self, bint maximum, int exclude_pad, kernel, strides, origin, requant, int low,
                 affine=None):
        self.pool.maximum, self.pool.exclude_pad, self.pool.low = maximum, exclude_pad, low
        self.pool.kernel_h, self.pool.kernel_w = kernel
        self.pool.stride_h, self.pool.stride_w = strides
        self.pool.top, self.pool.left = origin
        self.pool.multiplier, self.pool.rshift = requant
        self.pool.affine = affine is not None
        self.pool.scale, self.pool.offset = affine or (0.0, 0.0)

    def run(self, View source, View target, int threads):
        with nogil:
            tpuc_pool_run(&self.pool, &source.image, &target.image, threads)


def copy_channels(View source, View target, int first, int low, int threads):
    """Channels of `source` to channels `first`.. of `target`, clamped."""
    with nogil:
        tpuc_copy_channels(&source.image, &target.image, first, low, threads)
