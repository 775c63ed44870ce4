#if defined(__AVX512VNNI__)
#include <string.h>

#include "conv.h"
#include "vnni.h"

TPUC_INLINE __m512i broadcast4(const uint8_t *p) {
    int32_t word;
    memcpy(&word, p, 4);
    return _mm512_set1_epi32(word);
}

/* Sums are named, not indexed: an array of registers would live in memory. Those beyond R x N
 * vanish. */
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13)
#define DECLARE(r) \
    __m512i s##r##_0 = zero, s##r##_1 = zero, s##r##_2 = zero, s##r##_3 = zero; \
    const uint8_t *x##r = t->in[r];
#define POINT(r) \
    if (R > r) x##r = t->in[r] + tap;
#define DOT(r) \
    if (R > r) { \
        const __m512i a = broadcast4(x##r + k); \
        TPUC_DOT(s##r##_0, a, w0); \
        if (N > 1) TPUC_DOT(s##r##_1, a, w1); \
        if (N > 2) TPUC_DOT(s##r##_2, a, w2); \
        if (N > 3) TPUC_DOT(s##r##_3, a, w3); \
    }
/* Weights far ahead: the machine's own prefetching stops at the end of each page. */
#define PREFETCH(n) \
    if (N > n) _mm_prefetch((const char *)w + 64 * n + AHEAD, _MM_HINT_T0);
#define SCALE(r, n) \
    if (R > r) s##r##_##n = tpuc_scale_512(&q, s##r##_##n, rounding);
#define SCALE0(r) SCALE(r, 0)
#define SCALE1(r) SCALE(r, 1)
#define SCALE2(r) SCALE(r, 2)
#define SCALE3(r) SCALE(r, 3)
#define SCALE_ALL(n) \
    if (N > n) { \
        const tpuc_requant_512 q = tpuc_requant_load(t->requant + n, rounding); \
        ROWS(SCALE##n) \
    }
#define STORE(r) \
    if (R > r) \
        _mm512_mask_storeu_epi8( \
            t->out[r], mask, \
            packed(s##r##_0, N > 1 ? s##r##_1 : s##r##_0, N > 2 ? s##r##_2 : s##r##_0, \
                   N > 3 ? s##r##_3 : s##r##_0, low));

/* Four blocks of 16 channels as saturated bytes. Packing works within quarters; dword 4 i + n is
 * quarter i of block n. */
TPUC_INLINE __m512i packed(__m512i y0, __m512i y1, __m512i y2, __m512i y3, __m512i low) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i bytes =
        _mm512_packus_epi16(_mm512_packs_epi32(y0, y1), _mm512_packs_epi32(y2, y3));
    return _mm512_max_epu8(_mm512_permutexvar_epi32(order, bytes), low);
}

enum { AHEAD = 2048 };

/* R pixels x N blocks of sums stay in registers: R * N <= 24, plus N weights and one broadcast. */
TPUC_INLINE void tile(const tpuc_tile *t, const int R, const int N, const int rounding) {
    const __m512i zero = _mm512_setzero_si512();
    ROWS(DECLARE)
    const int8_t *w = t->weights;
    const ptrdiff_t run = 4 * (ptrdiff_t)t->k4;
    for (int i = 0; i < t->taps; i++) {
        const ptrdiff_t tap = t->tap[i];
        ROWS(POINT)
        for (ptrdiff_t k = 0; k < run; k += 4, w += 64 * N) {
            const __m512i w0 = _mm512_loadu_si512(w);
            const __m512i w1 = N > 1 ? _mm512_loadu_si512(w + 64) : w0;
            const __m512i w2 = N > 2 ? _mm512_loadu_si512(w + 128) : w0;
            const __m512i w3 = N > 3 ? _mm512_loadu_si512(w + 192) : w0;
            PREFETCH(0) PREFETCH(1) PREFETCH(2) PREFETCH(3)
            ROWS(DOT)
        }
    }
    const __m512i low = _mm512_set1_epi8((char)t->low);
    const __mmask64 mask = ~0ULL >> (64 - 16 * (N - 1) - t->lanes);
    SCALE_ALL(0) SCALE_ALL(1) SCALE_ALL(2) SCALE_ALL(3)
    ROWS(STORE)
}

#define CASE(R, N) \
    case R: tile(t, R, N, rounding); break;

TPUC_INLINE void run(const tpuc_tile *t, const int rounding) {
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

void tpuc_tile_vnni(const tpuc_tile *t) {
    if (t->rounding == TPUC_TWO_STEPS) run(t, TPUC_TWO_STEPS);
    else if (t->rounding == TPUC_HALF_AWAY) run(t, TPUC_HALF_AWAY);
    else run(t, TPUC_HALF_UP);
}
#else
typedef int tpuc_no_vnni_here;
#endif
