/* The loops of eltwise.h in plain C, compiled once per instruction set under the name PAIR. */
#include "eltwise.h"

static inline uint8_t clamped(int32_t y, int32_t low) {
    return (uint8_t)(y < low ? low : y > 255 ? 255 : y);
}

static inline int32_t half_of(int32_t shift) { return shift > 0 ? (int32_t)1 << (shift - 1) : 0; }

/* One run of bytes; b either moves along or is the same run again. */
static void add_run(const tpuc_eltwise *op, const tpuc_pair *t, const uint8_t *a, const uint8_t *b,
                    uint8_t *out, ptrdiff_t count) {
    const int32_t m0 = op->m0, m1 = op->m1, s0 = op->s0, s1 = op->s1, sign = op->sign;
    const int32_t h0 = half_of(s0) - t->a_zero * m0, h1 = half_of(s1) - t->b_zero * m1;
    const int32_t zero = t->zero, low = op->low;
    for (ptrdiff_t i = 0; i < count; i++)
        out[i] = clamped(((a[i] * m0 + h0) >> s0) + sign * ((b[i] * m1 + h1) >> s1) + zero, low);
}

static void sum_run(const tpuc_eltwise *op, const tpuc_pair *t, const uint8_t *a, const uint8_t *b,
                    uint8_t *out, ptrdiff_t count) {
    const int32_t m0 = op->m0, m1 = op->sign * op->m1, s0 = op->s0, zero = t->zero, low = op->low;
    const int32_t h0 = half_of(s0) - t->a_zero * m0 - t->b_zero * m1;
    for (ptrdiff_t i = 0; i < count; i++)
        out[i] = clamped(((a[i] * m0 + b[i] * m1 + h0) >> s0) + zero, low);
}

static void twice_run(const tpuc_eltwise *op, const tpuc_pair *t, const uint8_t *a,
                      const uint8_t *b, uint8_t *out, ptrdiff_t count) {
    const int32_t s0 = op->s0, h0 = half_of(s0), za = t->a_zero, zb = t->b_zero;
    const int32_t zero = t->zero, low = op->low, less = s0 > 0;
    const int64_t m0 = op->m0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const int32_t v = (int32_t)(((a[i] - za) * (b[i] - zb) * m0 + (1 << 30)) >> 31);
        out[i] = clamped(((v - (v < 0 ? less : 0) + h0) >> s0) + zero, low);
    }
}

static void mul_run(const tpuc_eltwise *op, const tpuc_pair *t, const uint8_t *a, const uint8_t *b,
                    uint8_t *out, ptrdiff_t count) {
    const int32_t m0 = op->m0, s0 = op->s0, h0 = half_of(s0), za = t->a_zero, zb = t->b_zero;
    const int32_t zero = t->zero, low = op->low;
    for (ptrdiff_t i = 0; i < count; i++)
        out[i] = clamped((((a[i] - za) * (b[i] - zb) * m0 + h0) >> s0) + zero, low);
}

static void extreme_run(const tpuc_eltwise *op, const tpuc_pair *t, const uint8_t *a,
                        const uint8_t *b, uint8_t *out, ptrdiff_t count) {
    const int32_t za = t->a_zero, zb = t->b_zero, zero = t->zero, low = op->low;
    const int32_t m0 = op->m0, m1 = op->m1, s0 = op->s0, h0 = half_of(s0);
    const int greatest = op->kind == TPUC_MAX;
    for (ptrdiff_t i = 0; i < count; i++) {
        const int32_t x = (a[i] - za) * m0, y = (b[i] - zb) * m1;
        const int32_t more = x > y ? x : y, less = x > y ? y : x;
        out[i] = clamped((((greatest ? more : less) + h0) >> s0) + zero, low);
    }
}

static void prelu_run(const tpuc_eltwise *op, const tpuc_pair *t, const uint8_t *a,
                      const uint8_t *b, uint8_t *out, ptrdiff_t count) {
    const int32_t s0 = op->s0, h0 = half_of(s0), za = t->a_zero, zb = t->b_zero;
    const int32_t m1 = op->m1, s1 = op->s1, h1 = half_of(s1), zero = t->zero, low = op->low;
    for (ptrdiff_t i = 0; i < count; i++) {
        const int32_t x = a[i] - za, below = (x * (b[i] - zb) + h0) >> s0;
        out[i] = clamped((x < 0 ? below : (x * m1 + h1) >> s1) + zero, low);
    }
}

static void any_run(const tpuc_eltwise *op, const tpuc_pair *t, const uint8_t *a, const uint8_t *b,
                    uint8_t *out, ptrdiff_t count) {
    if (op->kind == TPUC_ADD) add_run(op, t, a, b, out, count);
    else if (op->kind == TPUC_MUL) mul_run(op, t, a, b, out, count);
    else if (op->kind == TPUC_SUM) sum_run(op, t, a, b, out, count);
    else if (op->kind == TPUC_TWICE) twice_run(op, t, a, b, out, count);
    else if (op->kind == TPUC_PRELU) prelu_run(op, t, a, b, out, count);
    else extreme_run(op, t, a, b, out, count);
}

void PAIR(const tpuc_eltwise *op, const tpuc_pair *t) {
    if (t->a_pixel == t->b_pixel &&
        t->a_pixel == t->out_pixel) { /* one run, unused channels included */
        any_run(op, t, t->a, t->b, t->out, (ptrdiff_t)(t->count - 1) * t->a_pixel + t->channels);
        return;
    }
    for (int x = 0; x < t->count; x++)
        any_run(op, t, t->a + x * t->a_pixel, t->b + x * t->b_pixel, t->out + x * t->out_pixel,
                t->channels);
}
