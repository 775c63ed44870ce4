/* The loop of functions.h, compiled once per instruction set under the name FUNCTION. */
#include <math.h>

#include "exp.h"
#include "functions.h"
#include "lanes.h"

LANES double sigmoid(double x) { return 1.0 / (1.0 + tpuc_exp(-x)); }

/* Near 0 by series: the quotient would lose digits there. */
LANES double tanh_of(double x) {
    const double e = tpuc_exp(x + x), quotient = (e - 1.0) / (e + 1.0);
    const double far = fabs(x) > 100.0 ? copysign(1.0, x) : quotient;
    return fabs(x) < 0x1p-10 ? x - x * x * x * (1.0 / 3.0) : x != x ? x : far;
}

LANES double tgelu(double x) {
    return 0.5 * x * (1.0 + tanh_of(0x1.9884533d43651p-1 * (x + 0.044715 * x * x * x)));
}

/* tanh(log(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2) */
LANES double mish(double x) {
    const double e = tpuc_exp(x > 40.0 ? 40.0 : x), s = e * (e + 2.0);
    return x * (s / (s + 2.0));
}

LANES double elu(double x, double a) {
    const double near = x + x * x * (0.5 + x * (1.0 / 6.0));
    return x > 0.0 ? x : a * (fabs(x) < 0x1p-12 ? near : tpuc_exp(x) - 1.0);
}

LANES double limited(double x, double high) {
    x = x < 0.0 ? 0.0 : x;
    return x > high ? high : x;
}

#define EACH(expression) \
    for (int i = 0; i < RUN; i++) { \
        const double v = (double)x[i]; \
        y[i] = (float)(expression); \
    } \
    break;

enum { RUN = 64 };

static void run_of(const tpuc_float_function *f, const float *restrict x, float *restrict y) {
    const double a = f->a, b = f->b;
    const float slope = (float)a;
    switch (f->mode) {
        case TPUC_SIGMOID: EACH(sigmoid(v * a + b))
        case TPUC_SILU: EACH(v / (1.0 + tpuc_exp(-v)))
        case TPUC_TANH: EACH(tanh_of(v))
        case TPUC_GELU: EACH(v * 0.5 * (1.0 + erf(v * 0x1.6a09e667f3bcdp-1)))
        case TPUC_TGELU: EACH(tgelu(v))
        case TPUC_QGELU: EACH(v * sigmoid(1.702 * v))
        case TPUC_HSIGMOID: EACH(limited(v * b + a, 1.0))
        case TPUC_HSWISH: EACH(v * limited(v + 3.0, 6.0) / 6.0)
        case TPUC_MISH: EACH(mish(v))
        case TPUC_SOFT_PLUS: EACH(v > 20.0 ? v : log1p(tpuc_exp(v)))
        case TPUC_ELU: EACH(elu(v, a))
        case TPUC_EXP: EACH(tpuc_exp(v))
        case TPUC_ERF: EACH(erf(v))
        case TPUC_SQRT: EACH(sqrt(v))
        case TPUC_ABSVAL: EACH(fabs(v))
        case TPUC_SOFT_SIGN: EACH(v / (1.0 + fabs(v)))
        case TPUC_LN: EACH(log(v))
        case TPUC_LEAKY:
            for (int i = 0; i < RUN; i++) y[i] = x[i] > 0.0f ? x[i] : x[i] * slope;
            break;
    }
}

void FUNCTION(const tpuc_float_function *f, const float *in, float *out, ptrdiff_t count) {
    const tpuc_float_end end = f->end;
    for (ptrdiff_t i = 0; i < count; i += RUN) {
        const int n = count - i < RUN ? (int)(count - i) : RUN;
        float x[RUN] = {0}, y[RUN];
        memcpy(x, in + i, (size_t)n * sizeof(float));
        run_of(f, x, y);
        for (int j = 0; j < n; j += TPUC_LANES)
            lanes_store_some(out + i + j, lanes_finish(lanes_load(y + j), &end), n - j);
    }
}
