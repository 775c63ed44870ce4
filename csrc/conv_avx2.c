#if defined(__AVX2__)
#include <string.h>

#include "conv.h"
#include "fold_avx2.h"

/* Bytes widen to 16 bits, so that products of pairs add exactly in 32 bits. */
static inline __m256i broadcast4(const uint8_t *p) {
    int32_t word;
    memcpy(&word, p, 4);
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(word));
}

static void block(const tpuc_tile *t, int r, int n) {
    __m256i sum[4];
    for (int j = 0; j < 4; j++) sum[j] = _mm256_setzero_si256();
    for (int i = 0; i < t->taps; i++) {
        const uint8_t *x = t->in[r] + t->tap[i];
        for (int k = 0; k < t->k4; k++) {
            const int8_t *w = t->weights + (((ptrdiff_t)i * t->k4 + k) * t->width + n) * 64;
            const __m256i a = broadcast4(x + 4 * k);
            for (int j = 0; j < 4; j++)
                sum[j] =
                    _mm256_add_epi32(sum[j], _mm256_madd_epi16(a, tpuc_weights_16(w + 16 * j)));
        }
    }
    const int lanes = n == t->width - 1 ? t->lanes : TPUC_BLOCK;
    tpuc_finish_256(t->requant + n, sum, t->low, t->rounding, t->out[r] + n * TPUC_BLOCK, lanes);
}

void tpuc_tile_avx2(const tpuc_tile *t) {
    for (int n = 0; n < t->width; n++)
        for (int r = 0; r < t->rows; r++) block(t, r, n);
}
#else
typedef int tpuc_no_avx2_here;
#endif
