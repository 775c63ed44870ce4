/* What 8 integers stand for: scale * (q - zero). */
#ifndef TPUC_GAP_REALS_H
#define TPUC_GAP_REALS_H

#include <immintrin.h>
#include <stdint.h>

static inline __m256 gap_reals(const uint8_t *q, int32_t zero, float scale) {
    const __m256i numbers = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)q));
    const __m256 steps = _mm256_cvtepi32_ps(_mm256_sub_epi32(numbers, _mm256_set1_epi32(zero)));
    return _mm256_mul_ps(steps, _mm256_set1_ps(scale));
}

#endif
