#if defined(__AVX2__)
#include "depthwise.h"
#include "fold_avx2.h"

static void pixel(const tpuc_line *t, int x) {
    __m256i sum[4];
    for (int j = 0; j < 4; j++) sum[j] = _mm256_setzero_si256();
    for (int row = 0; row < t->rows; row++) {
        for (int v = 0; v < t->vectors; v++) {
            const uint8_t *in = t->in + x * t->advance + t->row[row] + 4 * v * t->pixel;
            const int8_t *w = t->weights + ((ptrdiff_t)(row * t->vectors + v) * t->step) * 64;
            const __m128i p0 = _mm_loadu_si128((const __m128i *)in);
            const __m128i p1 = _mm_loadu_si128((const __m128i *)(in + t->pixel));
            const __m128i p2 = _mm_loadu_si128((const __m128i *)(in + 2 * t->pixel));
            const __m128i p3 = _mm_loadu_si128((const __m128i *)(in + 3 * t->pixel));
            const __m128i a = _mm_unpacklo_epi8(p0, p1), b = _mm_unpacklo_epi8(p2, p3);
            const __m128i c = _mm_unpackhi_epi8(p0, p1), d = _mm_unpackhi_epi8(p2, p3);
            const __m128i quad[4] = {_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b),
                                     _mm_unpacklo_epi16(c, d), _mm_unpackhi_epi16(c, d)};
            for (int j = 0; j < 4; j++)
                sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(_mm256_cvtepu8_epi16(quad[j]),
                                                                    tpuc_weights_16(w + 16 * j)));
        }
    }
    tpuc_finish_256(t->requant, sum, t->low, t->rounding, t->out + x * t->out_pixel, t->lanes);
}

void tpuc_line_avx2(const tpuc_line *t) {
    for (int x = 0; x < t->count; x++) pixel(t, x);
}
#else
typedef int tpuc_no_avx2_here;
#endif
