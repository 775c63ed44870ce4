/* Shared by the AVX2 kernels: 16 channels whose sums lie in four registers as pairs (2 partial sums
 * per channel). */
#ifndef TPUC_FOLD_AVX2_H
#define TPUC_FOLD_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "requant.h"

static inline __m256i tpuc_weights_16(const int8_t *w) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w));
}

/* Add the partial sums, requantize, store `lanes` bytes. */
static inline void tpuc_finish_256(const tpuc_requant *q, const __m256i sum[4], int low, int rounding,
                                   uint8_t *out, int lanes) {
    const __m256i floor = _mm256_set1_epi32(low), ceiling = _mm256_set1_epi32(255);
    uint32_t y[16];
    for (int half = 0; half < 2; half++) {
        /* hadd leaves channels 0 1 4 5 2 3 6 7 */
        const __m256i pairs = _mm256_hadd_epi32(sum[2 * half], sum[2 * half + 1]);
        const __m256i whole = _mm256_permute4x64_epi64(pairs, 0xD8);
        __m256i v = tpuc_requantize_256(q, half, whole, rounding);
        v = _mm256_min_epi32(_mm256_max_epi32(v, floor), ceiling);
        _mm256_storeu_si256((__m256i *)(y + 8 * half), v);
    }
    uint8_t bytes[16];
    for (int i = 0; i < 16; i++) bytes[i] = (uint8_t)y[i];
    if (lanes == 16) memcpy(out, bytes, 16);
    else memcpy(out, bytes, (size_t)lanes);
}

#endif
