/* Requantization of int32 sums, 16 channels at a time: the only place in C where it is written.
 *
 *     y = (sum * m + b) >> s      halves up:    b = bias * m + r
 *     y = (v + (v < 0 ? -1 : 0) + r) >> s, v = sum * m + b      halves away from zero: b = bias * m, s > 0
 *     r = 2^(s-1) + (zero << s)   (s = 0: no 2^(s-1))
 *     y = zero + ((t + (t < 0 ? sign : 0) + half) >> shift), t = (sum * m + b) >> 31      in two steps:
 *     b = bias * m + 2^30, half = 2^(shift-1), sign = -1   (shift = 0: both 0)
 *     stored byte = clamp(y, low, 255),  low = `zero` of the output under relu, else 0
 *
 * Ranges, checked by the caller when it packs: |m| < 2^31, 0 <= s <= 32, the sum fits int32, sum *
 * m + b + r fits int64 and y fits int32. Hence y is bits s..s+31 of the 64-bit word, which needs no
 * arithmetic shift: even channels shift them down to the low half of the lane, odd channels move
 * them to the high half. In two steps, t is taken so; t + half fits int32 too. Index [0] holds the even channels of the block, [1] the odd ones: the
 * order in which a 64-bit multiply takes 32-bit lanes. */
#ifndef TPUC_REQUANT_H
#define TPUC_REQUANT_H

#include <stdint.h>

enum { TPUC_BLOCK = 16 };

typedef enum { TPUC_HALF_UP, TPUC_HALF_AWAY, TPUC_TWO_STEPS } tpuc_rounding;

typedef struct {
    int64_t m[2][8], b[2][8];
    union {
        struct {
            int64_t r[2][8], s[2][8];
        };
        struct { /* two steps, by channel of the block */
            int32_t half[16], sign[16], shift[16], zero[16];
        };
    };
} tpuc_requant;

static inline uint8_t tpuc_requantize(const tpuc_requant *q, int lane, int32_t sum, int low,
                                      int rounding) {
    const int odd = lane & 1, pair = lane >> 1;
    int64_t v = (int64_t)sum * q->m[odd][pair] + q->b[odd][pair];
    if (rounding == TPUC_TWO_STEPS) {
        const int32_t t = (int32_t)(v >> 31);
        const int32_t y =
            ((t + (t < 0 ? q->sign[lane] : 0) + q->half[lane]) >> q->shift[lane]) + q->zero[lane];
        return (uint8_t)(y < low ? low : y > 255 ? 255 : y);
    }
    if (rounding == TPUC_HALF_AWAY) v += (v < 0 ? -1 : 0) + q->r[odd][pair];
    const int32_t y = (int32_t)(uint32_t)((uint64_t)v >> q->s[odd][pair]);
    return (uint8_t)(y < low ? low : y > 255 ? 255 : y);
}

#if defined(__AVX512F__)
#include <immintrin.h>

typedef struct {
    __m512i m0, m1, b0, b1, r0, r1, s0, s1; /* two steps: half, sign, shift, zero in r0 .. s1 */
} tpuc_requant_512;

static inline __attribute__((always_inline)) tpuc_requant_512
tpuc_requant_load(const tpuc_requant *q, const int rounding) {
    tpuc_requant_512 z;
    z.m0 = _mm512_loadu_si512(q->m[0]), z.m1 = _mm512_loadu_si512(q->m[1]);
    z.b0 = _mm512_loadu_si512(q->b[0]), z.b1 = _mm512_loadu_si512(q->b[1]);
    if (rounding == TPUC_TWO_STEPS) {
        z.r0 = _mm512_loadu_si512(q->half), z.r1 = _mm512_loadu_si512(q->sign);
        z.s0 = _mm512_loadu_si512(q->shift), z.s1 = _mm512_loadu_si512(q->zero);
        return z;
    }
    z.r0 = _mm512_loadu_si512(q->r[0]), z.r1 = _mm512_loadu_si512(q->r[1]);
    z.s0 = _mm512_loadu_si512(q->s[0]);
    z.s1 = _mm512_sub_epi64(_mm512_set1_epi64(32), _mm512_loadu_si512(q->s[1]));
    return z;
}

/* y of each channel, not yet clamped. */
static inline __attribute__((always_inline)) __m512i tpuc_scale_512(const tpuc_requant_512 *q,
                                                                    __m512i sum,
                                                                    const int rounding) {
    __m512i even = _mm512_add_epi64(_mm512_mul_epi32(sum, q->m0), q->b0);
    __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(sum, 32), q->m1), q->b1);
    if (rounding == TPUC_TWO_STEPS) {
        const __m512i t = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31),
                                                  _mm512_slli_epi64(odd, 1));
        const __m512i sign = _mm512_and_si512(_mm512_srai_epi32(t, 31), q->r1);
        const __m512i v = _mm512_add_epi32(_mm512_add_epi32(t, sign), q->r0);
        return _mm512_add_epi32(_mm512_srav_epi32(v, q->s0), q->s1);
    }
    if (rounding == TPUC_HALF_AWAY) {
        even = _mm512_add_epi64(_mm512_add_epi64(even, _mm512_srai_epi64(even, 63)), q->r0);
        odd = _mm512_add_epi64(_mm512_add_epi64(odd, _mm512_srai_epi64(odd, 63)), q->r1);
    }
    even = _mm512_rorv_epi64(even, q->s0);
    odd = _mm512_rolv_epi64(odd, q->s1);
    return _mm512_mask_blend_epi32(0xAAAA, even, odd);
}

static inline __attribute__((always_inline)) __m128i tpuc_requantize_512(const tpuc_requant_512 *q,
                                                                         __m512i sum, __m512i low,
                                                                         const int rounding) {
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(tpuc_scale_512(q, sum, rounding), low));
}
#elif defined(__AVX2__)
#include <immintrin.h>

/* Eight channels starting at `half` * 8. */
static inline __m256i tpuc_requantize_256(const tpuc_requant *q, int half, __m256i sum,
                                          int rounding) {
    const __m256i m0 = _mm256_loadu_si256((const __m256i *)(q->m[0] + 4 * half));
    const __m256i m1 = _mm256_loadu_si256((const __m256i *)(q->m[1] + 4 * half));
    __m256i even = _mm256_add_epi64(_mm256_mul_epi32(sum, m0),
                                    _mm256_loadu_si256((const __m256i *)(q->b[0] + 4 * half)));
    __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(sum, 32), m1),
                                   _mm256_loadu_si256((const __m256i *)(q->b[1] + 4 * half)));
    if (rounding == TPUC_TWO_STEPS) {
        const __m256i t = _mm256_blend_epi32(_mm256_srli_epi64(even, 31),
                                             _mm256_slli_epi64(odd, 1), 0xAA);
        const __m256i *word = (const __m256i *)(q->half + 8 * half);
        const __m256i sign = _mm256_and_si256(_mm256_srai_epi32(t, 31), _mm256_loadu_si256(word + 2));
        const __m256i v = _mm256_add_epi32(_mm256_add_epi32(t, sign), _mm256_loadu_si256(word));
        return _mm256_add_epi32(_mm256_srav_epi32(v, _mm256_loadu_si256(word + 4)),
                                _mm256_loadu_si256(word + 6));
    }
    if (rounding == TPUC_HALF_AWAY) {
        const __m256i zero = _mm256_setzero_si256();
        even = _mm256_add_epi64(_mm256_add_epi64(even, _mm256_cmpgt_epi64(zero, even)),
                                _mm256_loadu_si256((const __m256i *)(q->r[0] + 4 * half)));
        odd = _mm256_add_epi64(_mm256_add_epi64(odd, _mm256_cmpgt_epi64(zero, odd)),
                               _mm256_loadu_si256((const __m256i *)(q->r[1] + 4 * half)));
    }
    const __m256i s0 = _mm256_loadu_si256((const __m256i *)(q->s[0] + 4 * half));
    const __m256i s1 = _mm256_sub_epi64(_mm256_set1_epi64x(32),
                                        _mm256_loadu_si256((const __m256i *)(q->s[1] + 4 * half)));
    return _mm256_blend_epi32(_mm256_srlv_epi64(even, s0), _mm256_sllv_epi64(odd, s1), 0xAA);
}
#endif
#endif
