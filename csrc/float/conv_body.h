/* The tile of conv.h, compiled once per instruction set under the name TILE. */
#include "conv.h"
#include "lanes.h"

/* Sums are named, not indexed: an array of registers would live in memory. Those beyond R x N
 * vanish. */
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)
#define DECLARE(r) \
    lanes s##r##_0 = zero, s##r##_1 = zero, s##r##_2 = zero, s##r##_3 = zero; \
    const float *x##r = t->in[r];
#define POINT(r) \
    if (R > r) x##r = t->in[r] + t->tap[i];
#define STEP(r) \
    if (R > r) { \
        const lanes a = lanes_set(x##r[k]); \
        s##r##_0 = lanes_fma(a, w0, s##r##_0); \
        if (N > 1) s##r##_1 = lanes_fma(a, w1, s##r##_1); \
        if (N > 2) s##r##_2 = lanes_fma(a, w2, s##r##_2); \
        if (N > 3) s##r##_3 = lanes_fma(a, w3, s##r##_3); \
    }
#define FINISH(r, n) \
    if (N > n) \
        lanes_store_some(y + TPUC_LANES * n, \
                         lanes_finish(lanes_add(s##r##_##n, b##n), &end), \
                         N > n + 1 ? TPUC_LANES : last);
#define STORE(r) \
    if (R > r) { \
        float *y = t->out[r] + TPUC_LANES * first; \
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

/* R pixels x N blocks from block `first` of the strip on. */
LANES void tile(const tpuc_float_tile *t, const int R, const int N, const int first) {
    const float *w = t->weights + TPUC_LANES * first, *bias = t->bias + TPUC_LANES * first;
    const ptrdiff_t advance = TPUC_LANES * (ptrdiff_t)t->width, run = t->run;
    const lanes zero = lanes_set(0.0f);
    ROWS(DECLARE)
    for (int i = 0; i < t->taps; i++) {
        ROWS(POINT)
        for (ptrdiff_t k = 0; k < run; k++, w += advance) {
            const lanes w0 = lanes_load(w), w1 = N > 1 ? lanes_load(w + 16) : w0;
            const lanes w2 = N > 2 ? lanes_load(w + 32) : w0, w3 = N > 3 ? lanes_load(w + 48) : w0;
            PREFETCH(0) PREFETCH(1) PREFETCH(2) PREFETCH(3)
            ROWS(STEP)
        }
    }
    const lanes b0 = lanes_load(bias), b1 = N > 1 ? lanes_load(bias + 16) : b0;
    const lanes b2 = N > 2 ? lanes_load(bias + 32) : b0, b3 = N > 3 ? lanes_load(bias + 48) : b0;
    const tpuc_float_end end = t->end;
    const int last = first + N == t->width ? t->last : TPUC_LANES;
    ROWS(STORE)
}

#define CASE(R, N) \
    case R: tile(t, R, N, first); break;

#if defined(__AVX512F__)
/* R * N <= 24 sums stay in registers, plus N weights and one broadcast. */
void TILE(const tpuc_float_tile *t) {
    const int first = 0;
    if (t->width == 1) {
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
    for (int first = 0; first < t->width; first++) {
        switch (t->rows) {
            CASE(1, 1) CASE(2, 1) CASE(3, 1) CASE(4, 1) CASE(5, 1) CASE(6, 1)
        }
    }
}
#endif
