# cython: language_level=3, boundscheck=False, wraparound=False
"""Bridges to the functions, windows and row-wise ops of csrc/float; callers validate."""

from libc.stdint cimport int32_t

from tpuc.kernels._float cimport End, tpuc_float_end
from tpuc.kernels._int8 cimport View, tpuc_image

cdef extern from "float/along.h" nogil:
    ctypedef struct tpuc_float_along:
        int32_t kind, rows
        const float *weight
        const float *bias
        float eps, factor
        tpuc_float_end end
    ctypedef enum tpuc_float_along_kind:
        TPUC_SOFTMAX, TPUC_SOFTMAX_CHANNELS, TPUC_LAYER_NORM, TPUC_RMS_NORM, TPUC_SUM
        TPUC_SUM_CHANNELS
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
ALONG = {
    "softmax": TPUC_SOFTMAX, "softmax of channels": TPUC_SOFTMAX_CHANNELS,
    "layer norm": TPUC_LAYER_NORM, "rms norm": TPUC_RMS_NORM, "sum": TPUC_SUM,
    "sum of channels": TPUC_SUM_CHANNELS,
}


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
