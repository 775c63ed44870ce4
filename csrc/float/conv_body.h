/* The tile of conv.h, compiled once per instruction set under the name TILE. */
#include "conv.h"
#include "lanes.h"

/* Sums are named, not indexed: an array of registers would live in memory. Those beyond R x N
 * vanish. */
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)
#define DECLARE(r) \
    lanes s##r##_0 = zero, s##r##_1 = zero, s##r##_2 = zero, s##r##_3 = zero; \
    const float *x##r = t->in[r];
#define STEP(r) \
    if (R > r) { \
        const lanes a = lanes_set(x##r[at]); \
        s##r##_0 = lanes_fma(a, w0, s##r##_0); \
        if (N > 1) s##r##_1 = lanes_fma(a, w1, s##r##_1); \
        if (N > 2) s##r##_2 = lanes_fma(a, w2, s##r##_2); \
        if (N > 3) s##r##_3 = lanes_fma(a, w3, s##r##_3); \
    }
/* Partial sums of earlier chunks lie in memory. */
#define KEEP_ONE(r, n) \
    if (N > n) { \
        float *p = part + TPUC_LANES * (4 * r + n); \
        lanes_store(p, j ? lanes_add(lanes_load(p), s##r##_##n) : s##r##_##n); \
        s##r##_##n = zero; \
    }
#define KEEP(r) \
    if (R > r) { \
        KEEP_ONE(r, 0) KEEP_ONE(r, 1) KEEP_ONE(r, 2) KEEP_ONE(r, 3) \
    }
#define JOIN_ONE(r, n) \
    if (N > n) s##r##_##n = lanes_add(lanes_load(part + TPUC_LANES * (4 * r + n)), s##r##_##n);
#define JOIN(r) \
    if (R > r) { \
        JOIN_ONE(r, 0) JOIN_ONE(r, 1) JOIN_ONE(r, 2) JOIN_ONE(r, 3) \
    }
#define FINISH(r, n) \
    if (N > n) \
        lanes_store_some(y + TPUC_LANES * n, \
                         lanes_finish(lanes_add(s##r##_##n, by_row ? beside : b##n), &end), \
                         N > n + 1 ? TPUC_LANES : last);
#define STORE(r) \
    if (R > r) { \
        float *y = t->out[r] + TPUC_LANES * first; \
        const lanes beside = by_row ? lanes_set(t->row_bias[r]) : zero; \
        FINISH(r, 0) FINISH(r, 1) FINISH(r, 2) FINISH(r, 3) \
    }

enum { AHEAD = 512 };
#if defined(__AVX512F__)
/* Weights far ahead: the machine's own prefetching stops at the end of each page. */
#define PREFETCH(n) \
    if (N > n) _mm_prefetch((const char *)(w + TPUC_LANES * n + AHEAD), _MM_HINT_T0);
#else
#define PREFETCH(n)
#endif

/* One term: weights w of N blocks, inputs at offset `at`. */
#define TERM \
    const lanes w0 = lanes_load(w), w1 = N > 1 ? lanes_load(w + 16) : w0; \
    const lanes w2 = N > 2 ? lanes_load(w + 32) : w0, w3 = N > 3 ? lanes_load(w + 48) : w0; \
    PREFETCH(0) PREFETCH(1) PREFETCH(2) PREFETCH(3) \
    ROWS(STEP)

/* R pixels x N blocks from block `first` of the strip on. */
LANES void tile(const tpuc_float_tile *t, const int R, const int N, const int first) {
    const float *w = t->weights + TPUC_LANES * first;
    const ptrdiff_t advance = t->advance, step = t->step;
    const lanes zero = lanes_set(0.0f);
    float part[4 * TPUC_LANES * R];
    ROWS(DECLARE)
    ptrdiff_t k = 0, at = 0, channel = 0;
    for (int j = 0, tap = 0, last = t->chunks - 1;; j++) {
        const ptrdiff_t end = t->chunk_end[j];
        if (t->taps == 1) {
            for (; k < end; k++, at += step, w += advance) {
                TERM
            }
        } else {
            for (; k < end; k++, w += advance) {
                at = t->tap[tap] + channel;
                if (++tap == t->taps) tap = 0, channel++;
                TERM
            }
        }
        if (j == last) break;
        ROWS(KEEP)
    }
    if (t->chunks > 1) {
        ROWS(JOIN)
    }
    const int by_row = t->row_bias != NULL;
    const float *bias = by_row ? part : t->bias + TPUC_LANES * first; /* part: read, not used */
    const lanes b0 = lanes_load(bias), b1 = N > 1 ? lanes_load(bias + 16) : b0;
    const lanes b2 = N > 2 ? lanes_load(bias + 32) : b0, b3 = N > 3 ? lanes_load(bias + 48) : b0;
    const tpuc_float_end end = t->end;
    const int last = first + N == t->width ? t->last : TPUC_LANES;
    ROWS(STORE)
}

/* Terms k .. k + count - 1 in eight chains, added in pairs. */
LANES lanes in_lanes(const tpuc_float_tile *t, const float *x, const float *w, int k, int count) {
    const ptrdiff_t advance = t->advance;
    lanes s[8];
    for (int i = 0; i < 8; i++) s[i] = lanes_set(0.0f);
    for (int i = 0; i < count; i++) {
        const ptrdiff_t at = t->tap[(k + i) % t->taps] + (k + i) / t->taps;
        s[i % 8] = lanes_fma(lanes_set(x[at]), lanes_load(w + (k + i) * advance), s[i % 8]);
    }
    const lanes even = lanes_add(lanes_add(s[0], s[1]), lanes_add(s[4], s[5]));
    return lanes_add(even, lanes_add(lanes_add(s[2], s[3]), lanes_add(s[6], s[7])));
}

/* Whole blocks of 16 terms first, then runs of 8, 4, 2 and 1 of what is left. */
static void tile_of_lanes(const tpuc_float_tile *t) {
    const int terms = t->chunk_end[t->chunks - 1], whole = terms / 16 * 16;
    for (int r = 0; r < t->rows; r++) {
        for (int n = 0; n < t->width; n++) {
            const float *w = t->weights + TPUC_LANES * n;
            lanes v = lanes_add(lanes_set(0.0f), in_lanes(t, t->in[r], w, 0, whole));
            for (int run = 8, k = whole; run; run /= 2) {
                if (!(terms % 16 & run)) continue;
                v = lanes_add(v, in_lanes(t, t->in[r], w, k, run));
                k += run;
            }
            v = lanes_finish(lanes_add(v, lanes_load(t->bias + TPUC_LANES * n)), &t->end);
            lanes_store_some(t->out[r] + TPUC_LANES * n, v,
                             n + 1 == t->width ? t->last : TPUC_LANES);
        }
    }
}

#define CASE(R, N) \
    case R: tile(t, R, N, first); break;

#if defined(__AVX512F__)
/* R * N <= 24 sums stay in registers, plus N weights and one broadcast. */
void TILE(const tpuc_float_tile *t) {
    const int first = 0;
    if (t->lanes == 8) {
        tile_of_lanes(t);
    } else if (t->width == 1) {
        switch (t->rows) {
            CASE(1, 1) CASE(2, 1) CASE(3, 1) CASE(4, 1) CASE(5, 1) CASE(6, 1) CASE(7, 1)
            CASE(8, 1) CASE(9, 1) CASE(10, 1) CASE(11, 1) CASE(12, 1) CASE(13, 1) CASE(14, 1)
        }
    } else if (t->width == 2) {
        switch (t->rows) {
            CASE(1, 2) CASE(2, 2) CASE(3, 2) CASE(4, 2) CASE(5, 2) CASE(6, 2)
            CASE(7, 2) CASE(8, 2) CASE(9, 2) CASE(10, 2) CASE(11, 2) CASE(12, 2)
        }
    } else if (t->width == 3) {
        switch (t->rows) {
            CASE(1, 3) CASE(2, 3) CASE(3, 3) CASE(4, 3) CASE(5, 3) CASE(6, 3) CASE(7, 3) CASE(8, 3)
        }
    } else {
        switch (t->rows) {
            CASE(1, 4) CASE(2, 4) CASE(3, 4) CASE(4, 4) CASE(5, 4) CASE(6, 4)
        }
    }
}
#else
/* Block by block: 6 x 1 sums fill sixteen registers of half the width. */
void TILE(const tpuc_float_tile *t) {
    if (t->lanes == 8) {
        tile_of_lanes(t);
        return;
    }
    for (int first = 0; first < t->width; first++) {
        switch (t->rows) {
            CASE(1, 1) CASE(2, 1) CASE(3, 1) CASE(4, 1) CASE(5, 1) CASE(6, 1)
        }
    }
}
#endif
