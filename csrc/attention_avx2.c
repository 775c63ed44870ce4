#if defined(__AVX2__)
#include <string.h>

#include "attention.h"
#include "fold_avx2.h"

/* Bytes widen to 16 bits, so that products of pairs add exactly in 32 bits. */
static inline __m256i broadcast4(const uint8_t *p) {
    int32_t word;
    memcpy(&word, p, 4);
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(word));
}

static void block(const uint8_t *x, const int8_t *w, int k4, const int32_t *bias, int32_t *sums) {
    __m256i sum[4];
    for (int j = 0; j < 4; j++) sum[j] = _mm256_setzero_si256();
    for (int k = 0; k < k4; k++) {
        const __m256i a = broadcast4(x + 4 * k);
        for (int j = 0; j < 4; j++)
            sum[j] = _mm256_add_epi32(
                sum[j], _mm256_madd_epi16(a, tpuc_weights_16(w + 64 * k + 16 * j)));
    }
    for (int half = 0; half < 2; half++) { /* hadd leaves channels 0 1 4 5 2 3 6 7 */
        const __m256i pairs = _mm256_hadd_epi32(sum[2 * half], sum[2 * half + 1]);
        const __m256i first = _mm256_loadu_si256((const __m256i *)(bias + 8 * half));
        const __m256i whole = _mm256_permute4x64_epi64(pairs, 0xD8);
        _mm256_storeu_si256((__m256i *)(sums + 8 * half), _mm256_add_epi32(whole, first));
    }
}

static void product(const uint8_t *x, ptrdiff_t pitch, int rows, const int8_t *weights, int k4,
                    int blocks, const int32_t *bias, int32_t *sums, ptrdiff_t sum_pitch) {
    for (int b = 0; b < blocks; b++)
        for (int r = 0; r < rows; r++)
            block(x + r * pitch, weights + (ptrdiff_t)b * k4 * 64, k4, bias + 16 * b,
                  sums + r * sum_pitch + 16 * b);
}

#define NAME tpuc_attention_avx2
#define PRODUCT product
#include "attention_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
