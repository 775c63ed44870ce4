/* The loops of deconv.h in plain C, compiled once per instruction set under the name LOOPS. */
#include "deconv.h"

static void dense(const uint8_t *x, int zero, int terms, const int16_t *w, int channels,
                  int32_t *sum) {
    int k = 0;
    for (; k + 4 <= terms; k += 4, w += 4 * (ptrdiff_t)channels) {
        const int32_t a = x[k] - zero, b = x[k + 1] - zero, c = x[k + 2] - zero,
                      d = x[k + 3] - zero;
        const int16_t *w1 = w + channels, *w2 = w1 + channels, *w3 = w2 + channels;
        for (int o = 0; o < channels; o++)
            sum[o] += a * w[o] + b * w1[o] + c * w2[o] + d * w3[o];
    }
    for (; k < terms; k++, w += channels) {
        const int32_t a = x[k] - zero;
        for (int o = 0; o < channels; o++) sum[o] += a * w[o];
    }
}

static void apart(const uint8_t *x, int zero, const int16_t *w, int channels, int32_t *sum) {
    for (int c = 0; c < channels; c++) sum[c] += (x[c] - zero) * w[c];
}

static void requant_twice(const tpuc_requant_axis *op, const int32_t *in, uint8_t *out,
                          int channels) {
    const int64_t *m = op->m, *r = op->r, *s = op->s, low = op->low, zero = op->zero;
    for (int c = 0; c < channels; c++) {
        const int64_t t = (in[c] * m[c] + (1 << 30)) >> 31;
        const int64_t y = ((t + (t < 0 && s[c] > 0 ? -1 : 0) + r[c]) >> s[c]) + zero;
        out[c] = (uint8_t)(y < low ? low : y > 255 ? 255 : y);
    }
}

static void requant(const tpuc_requant_axis *op, const int32_t *in, uint8_t *out, int channels) {
    const int64_t *m = op->m, *r = op->r, *s = op->s, low = op->low;
    if (op->two_steps) {
        requant_twice(op, in, out, channels);
        return;
    }
    for (int c = 0; c < channels; c++) {
        const int64_t v = in[c] * m[c], y = (v + (v < 0 ? -1 : 0) + r[c]) >> s[c];
        out[c] = (uint8_t)(y < low ? low : y > 255 ? 255 : y);
    }
}

const tpuc_deconv_loops LOOPS = {dense, apart, requant};
