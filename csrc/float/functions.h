/* Functions of one float32, computed in float64, rounded to float32, then finished (end.h).
 *
 * Plain C without contraction, so that every path gives the same bits; errors are some units of
 * float64. a and b are the function's coefficients. */
#ifndef TPUC_FLOAT_FUNCTIONS_H
#define TPUC_FLOAT_FUNCTIONS_H

#include "../image.h"
#include "end.h"

typedef enum {
    TPUC_SIGMOID, /* 1 / (1 + exp(-(a x + b))) */
    TPUC_SILU,
    TPUC_TANH,
    TPUC_GELU,  /* by erf */
    TPUC_TGELU, /* by tanh */
    TPUC_QGELU, /* x sigmoid(1.702 x) */
    TPUC_HSIGMOID, /* min(max(b x + a, 0), 1) */
    TPUC_HSWISH,
    TPUC_MISH,
    TPUC_SOFT_PLUS, /* x above 20 */
    TPUC_ELU,       /* a (exp(x) - 1) below 0 */
    TPUC_EXP,
    TPUC_ERF,
    TPUC_SQRT,
    TPUC_ABSVAL,
    TPUC_SOFT_SIGN,
    TPUC_LN,
    TPUC_LEAKY /* a x below 0, in float32 */
} tpuc_float_mode;

typedef struct {
    int32_t mode;
    double a, b;
    tpuc_float_end end;
} tpuc_float_function;

typedef void (*tpuc_float_function_loop)(const tpuc_float_function *function, const float *in,
                                         float *out, ptrdiff_t count);

void tpuc_float_function_portable(const tpuc_float_function *, const float *, float *, ptrdiff_t);
void tpuc_float_function_avx2(const tpuc_float_function *, const float *, float *, ptrdiff_t);
void tpuc_float_function_vnni(const tpuc_float_function *, const float *, float *, ptrdiff_t);

void tpuc_float_function_run(const tpuc_float_function *function, const tpuc_image *in,
                             const tpuc_image *out, int threads);

#endif
