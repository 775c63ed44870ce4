/* The loops of rows.h, compiled once per instruction set under the name LOOPS. */
#include "lanes.h"
#include "rows.h"

/* b where neither is NaN and b is larger, ...; NaN where either is. */
LANES lanes larger(lanes a, lanes b) { return lanes_if_nan(a, a, lanes_max(a, b)); }
LANES lanes smaller(lanes a, lanes b) { return lanes_if_nan(a, a, lanes_min(a, b)); }

#define LOOP(name, function) \
    static void name(const tpuc_float_run *t, const tpuc_float_end *given) { \
        const tpuc_float_end end = *given; \
        const lanes a0 = lanes_set(t->a[0]), b0 = lanes_set(t->b[0]); \
        const int a_step = t->a_step, b_step = t->b_step; \
        for (ptrdiff_t i = 0; i < t->count; i += TPUC_LANES) { \
            const int n = t->count - i < TPUC_LANES ? (int)(t->count - i) : TPUC_LANES; \
            const lanes a = a_step ? lanes_load_some(t->a + i, n) : a0; \
            const lanes b = b_step ? lanes_load_some(t->b + i, n) : b0; \
            lanes_store_some(t->out + i, lanes_finish(function(a, b), &end), n); \
        } \
    }

LOOP(add_run, lanes_add)
LOOP(sub_run, lanes_sub)
LOOP(mul_run, lanes_mul)
LOOP(div_run, lanes_div)
LOOP(max_run, larger)
LOOP(min_run, smaller)
LOOP(prelu_run, lanes_prelu)

static void add_halves(const tpuc_float_run *t, const tpuc_float_end *given) {
    const tpuc_float_end end = *given;
    const lanes by_a = lanes_set((float)t->a_scale), by_b = lanes_set((float)t->b_scale);
    const lanes a0 = lanes_set(t->a[0]), b0 = lanes_set(t->b[0]);
    for (ptrdiff_t i = 0; i < t->count; i += TPUC_LANES) {
        const int n = t->count - i < TPUC_LANES ? (int)(t->count - i) : TPUC_LANES;
        const lanes a = lanes_mul(t->a_step ? lanes_load_some(t->a + i, n) : a0, by_a);
        const lanes b = lanes_mul(t->b_step ? lanes_load_some(t->b + i, n) : b0, by_b);
        const lanes sum = lanes_add(lanes_f16(a), lanes_f16(b));
        lanes_store_some(t->out + i, lanes_finish(sum, &end), n);
    }
}

static void copy(const float *in, float *out, ptrdiff_t count, const tpuc_float_end *given);

static void scaled(const tpuc_float_run *t, const tpuc_float_end *end, float sign) {
    const ptrdiff_t a_step = t->a_step, b_step = t->b_step;
    for (ptrdiff_t i = 0; i < t->count; i++) {
        const float b = (float)((double)t->b[i * b_step] * t->b_scale);
        t->out[i] = (float)((double)t->a[i * a_step] * t->a_scale) + sign * b;
    }
    copy(t->out, t->out, t->count, end);
}

static void pair(tpuc_float_kind kind, const tpuc_float_run *t, const tpuc_float_end *end) {
    switch (kind) {
        case TPUC_FLOAT_ADD: add_run(t, end); break;
        case TPUC_FLOAT_SUB: sub_run(t, end); break;
        case TPUC_FLOAT_MUL: mul_run(t, end); break;
        case TPUC_FLOAT_DIV: div_run(t, end); break;
        case TPUC_FLOAT_MAX: max_run(t, end); break;
        case TPUC_FLOAT_MIN: min_run(t, end); break;
        case TPUC_FLOAT_PRELU: prelu_run(t, end); break;
        case TPUC_FLOAT_ADD_HALVES: add_halves(t, end); break;
        case TPUC_FLOAT_ADD_SCALED: scaled(t, end, 1.0f); break;
        case TPUC_FLOAT_SUB_SCALED: scaled(t, end, -1.0f); break;
    }
}

static void copy(const float *in, float *out, ptrdiff_t count, const tpuc_float_end *given) {
    const tpuc_float_end end = *given;
    for (ptrdiff_t i = 0; i < count; i += TPUC_LANES) {
        const int n = count - i < TPUC_LANES ? (int)(count - i) : TPUC_LANES;
        lanes_store_some(out + i, lanes_finish(lanes_load_some(in + i, n), &end), n);
    }
}

/* Reads whole vectors of bytes: images have slack behind them. */
static void from_bytes(const uint8_t *in, float *out, ptrdiff_t count, int zero, float scale,
                       const tpuc_float_end *given) {
    const tpuc_float_end end = *given;
    const lanes factor = lanes_set(scale);
    for (ptrdiff_t i = 0; i < count; i += TPUC_LANES) {
        const int n = count - i < TPUC_LANES ? (int)(count - i) : TPUC_LANES;
        const lanes q = lanes_from_bytes(in + i, zero);
        lanes_store_some(out + i, lanes_finish(lanes_mul(factor, q), &end), n);
    }
}

/* `even`: halves to even instead, which a sum with a number of 2^23 does. */
static void to_bytes(const float *in, uint8_t *out, ptrdiff_t count, int zero, float inverse,
                     int even, const tpuc_float_end *given) {
    const tpuc_float_end end = *given;
    const lanes factor = lanes_set(inverse), wide = lanes_set(even ? 0x1.8p23f : 0.0f);
    for (ptrdiff_t i = 0; i < count; i += TPUC_LANES) {
        const int n = count - i < TPUC_LANES ? (int)(count - i) : TPUC_LANES;
        const lanes given_x = lanes_load_some(in + i, n);
        const lanes number = end.type == TPUC_BF16 ? lanes_finish(given_x, &end) : given_x;
        const lanes x = lanes_finish(lanes_mul(number, factor), &end);
        uint8_t last[TPUC_LANES];
        const lanes whole = lanes_sub(lanes_add(x, wide), wide);
        lanes_to_bytes(n == TPUC_LANES ? out + i : last, whole, zero);
        if (n < TPUC_LANES) memcpy(out + i, last, (size_t)n);
    }
}

static int look_up(const float *in, float *out, ptrdiff_t count, const float *table, int type) {
    int strange = 0;
    for (ptrdiff_t i = 0; i < count; i += TPUC_LANES) {
        const int n = count - i < TPUC_LANES ? (int)(count - i) : TPUC_LANES;
        const lanes x = lanes_load_some(in + i, n);
        uint16_t at[TPUC_LANES];
        float y[TPUC_LANES];
        if (type == TPUC_F16) lanes_bits_f16(at, x);
        else lanes_bits_bf16(at, x);
        strange |= lanes_differ(type == TPUC_F16 ? lanes_f16(x) : lanes_bf16(x, 1), x);
        for (int j = 0; j < TPUC_LANES; j++) y[j] = table[at[j]];
        lanes_store_some(out + i, lanes_load(y), n);
    }
    return strange;
}

const tpuc_float_loops LOOPS = {pair, copy, from_bytes, to_bytes, look_up};
