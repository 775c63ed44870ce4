#if defined(__AVX512VNNI__)
#include <string.h>

#include "conv.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m512i broadcast4(const uint8_t *p) {
    int32_t word;
    memcpy(&word, p, 4);
    return _mm512_set1_epi32(word);
}

/* R pixels x N blocks of sums stay in registers: R * N <= 24, plus N weights and one broadcast. */
INLINE void tile(const tpuc_tile *t, const int R, const int N, const int away) {
    __m512i sum[R][N];
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int n = 0; n < N; n++) sum[r][n] = _mm512_setzero_si512();
    const int8_t *w = t->weights;
    for (int i = 0; i < t->taps; i++) {
        const ptrdiff_t tap = t->tap[i];
        const uint8_t *x[R];
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) x[r] = t->in[r] + tap;
        for (ptrdiff_t k = 0; k < 4 * (ptrdiff_t)t->k4; k += 4, w += 64 * N) {
            __m512i weight[N];
#pragma GCC unroll 4
            for (int n = 0; n < N; n++) weight[n] = _mm512_loadu_si512(w + 64 * n);
#pragma GCC unroll 16
            for (int r = 0; r < R; r++) {
                const __m512i a = broadcast4(x[r] + k);
#pragma GCC unroll 4
                for (int n = 0; n < N; n++) sum[r][n] = _mm512_dpbusd_epi32(sum[r][n], a, weight[n]);
            }
        }
    }
    const __m512i low = _mm512_set1_epi32(t->low);
    const __mmask16 last = (__mmask16)((1u << t->lanes) - 1);
#pragma GCC unroll 4
    for (int n = 0; n < N; n++) {
        const tpuc_requant_512 q = tpuc_requant_load(t->requant + n);
        const __mmask16 mask = n == N - 1 ? last : (__mmask16)0xFFFF;
#pragma GCC unroll 16
        for (int r = 0; r < R; r++)
            _mm_mask_storeu_epi8(t->out[r] + 16 * n, mask, tpuc_requantize_512(&q, sum[r][n], low, away));
    }
}

#define CASE(R, N) \
    case R: tile(t, R, N, away); break;

INLINE void run1(const tpuc_tile *t, const int away) {
    switch (t->rows) {
        CASE(1, 1) CASE(2, 1) CASE(3, 1) CASE(4, 1) CASE(5, 1) CASE(6, 1) CASE(7, 1)
        CASE(8, 1) CASE(9, 1) CASE(10, 1) CASE(11, 1) CASE(12, 1) CASE(13, 1) CASE(14, 1)
    }
}

INLINE void run2(const tpuc_tile *t, const int away) {
    switch (t->rows) {
        CASE(1, 2) CASE(2, 2) CASE(3, 2) CASE(4, 2) CASE(5, 2) CASE(6, 2)
        CASE(7, 2) CASE(8, 2) CASE(9, 2) CASE(10, 2) CASE(11, 2) CASE(12, 2)
    }
}

INLINE void run3(const tpuc_tile *t, const int away) {
    switch (t->rows) {
        CASE(1, 3) CASE(2, 3) CASE(3, 3) CASE(4, 3) CASE(5, 3) CASE(6, 3) CASE(7, 3) CASE(8, 3)
    }
}

INLINE void run4(const tpuc_tile *t, const int away) {
    switch (t->rows) {
        CASE(1, 4) CASE(2, 4) CASE(3, 4) CASE(4, 4) CASE(5, 4) CASE(6, 4)
    }
}

INLINE void run(const tpuc_tile *t, const int away) {
    switch (t->width) {
        case 1: run1(t, away); break;
        case 2: run2(t, away); break;
        case 3: run3(t, away); break;
        case 4: run4(t, away); break;
    }
}

void tpuc_tile_vnni(const tpuc_tile *t) {
    if (t->away) run(t, 1);
    else run(t, 0);
}
#else
typedef int tpuc_no_vnni_here;
#endif
