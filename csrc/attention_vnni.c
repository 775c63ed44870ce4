#if defined(__AVX512VNNI__)
#include <string.h>

#include "attention.h"
#include "vnni.h"

TPUC_INLINE __m512i broadcast4(const uint8_t *p) {
    int32_t word;
    memcpy(&word, p, 4);
    return _mm512_set1_epi32(word);
}

/* Eight rows by two blocks stay in registers; sums are named so that they do. Rows that are not
 * there are the first one again. */
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define POINT(r) \
    const uint8_t *x##r = x + (r < rows ? r : 0) * pitch; \
    __m512i a##r = first, b##r = second;
#define DOT(r) \
    { \
        const __m512i v = broadcast4(x##r + 4 * k); \
        TPUC_DOT(a##r, v, w0); \
        if (two) TPUC_DOT(b##r, v, w1); \
    }
#define STORE(r) \
    if (r < rows) { \
        _mm512_storeu_si512(sums + r * sum_pitch, a##r); \
        if (two) _mm512_storeu_si512(sums + r * sum_pitch + 16, b##r); \
    }

TPUC_INLINE void tile(const uint8_t *x, ptrdiff_t pitch, int rows, const int8_t *w, int k4,
                      const int32_t *bias, int32_t *sums, ptrdiff_t sum_pitch, const int two) {
    const __m512i first = _mm512_loadu_si512(bias);
    const __m512i second = two ? _mm512_loadu_si512(bias + 16) : first;
    ROWS(POINT)
    const int8_t *other = w + (ptrdiff_t)k4 * 64;
    for (ptrdiff_t k = 0; k < k4; k++) {
        const __m512i w0 = _mm512_loadu_si512(w + 64 * k);
        const __m512i w1 = two ? _mm512_loadu_si512(other + 64 * k) : w0;
        ROWS(DOT)
    }
    ROWS(STORE)
}

static void product(const uint8_t *x, ptrdiff_t pitch, int rows, const int8_t *weights, int k4,
                    int blocks, const int32_t *bias, int32_t *sums, ptrdiff_t sum_pitch) {
    for (int b = 0; b < blocks; b += 2) {
        const int8_t *w = weights + (ptrdiff_t)b * k4 * 64;
        if (b + 1 < blocks) tile(x, pitch, rows, w, k4, bias + 16 * b, sums + 16 * b, sum_pitch, 1);
        else tile(x, pitch, rows, w, k4, bias + 16 * b, sums + 16 * b, sum_pitch, 0);
    }
}

/* Halves go away from zero. Even numbers of a lane pair are multiplied apart from odd ones. */
static void requant(const int32_t *sums, int count, tpuc_attention_words words, uint8_t *bytes) {
    const __m512i m = _mm512_set1_epi64(words.multiplier);
    const __m512i half = _mm512_set1_epi64((int64_t)1 << (words.shift - 1));
    const __m128i shift = _mm_cvtsi64_si128(words.shift), top = _mm_set1_epi8(-128);
    for (int i = 0; i < count; i += 16) {
        const __mmask16 mask = (__mmask16)(count - i < 16 ? (1 << (count - i)) - 1 : 0xFFFF);
        const __m512i x = _mm512_maskz_loadu_epi32(mask, sums + i);
        __m512i even = _mm512_mul_epi32(x, m), odd = _mm512_mul_epi32(_mm512_srli_epi64(x, 32), m);
        even = _mm512_add_epi64(_mm512_add_epi64(even, _mm512_srai_epi64(even, 63)), half);
        odd = _mm512_add_epi64(_mm512_add_epi64(odd, _mm512_srai_epi64(odd, 63)), half);
        even = _mm512_sra_epi64(even, shift);
        odd = _mm512_slli_epi64(_mm512_sra_epi64(odd, shift), 32);
        const __m512i y = _mm512_mask_blend_epi32(0xAAAA, even, odd);
        _mm_mask_storeu_epi8(bytes + i, mask, _mm_xor_si128(_mm512_cvtsepi32_epi8(y), top));
    }
}

#define REQUANT requant
#define NAME tpuc_attention_vnni
#define PRODUCT product
#include "attention_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
