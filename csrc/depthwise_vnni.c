#if defined(__AVX512VNNI__)
#include "depthwise.h"
#include "vnni.h"

/* Byte 4 c + i of a vector comes from channel c of pixel i, i.e. from byte 16 i + c of the four
 * loads. */
#define QUAD(c) c, 16 + c, 32 + c, 48 + c
static const uint8_t ORDER[64] = {QUAD(0),  QUAD(1),  QUAD(2),  QUAD(3), QUAD(4),  QUAD(5),
                                  QUAD(6),  QUAD(7),  QUAD(8),  QUAD(9), QUAD(10), QUAD(11),
                                  QUAD(12), QUAD(13), QUAD(14), QUAD(15)};

TPUC_INLINE __m512i gather4(const uint8_t *p, ptrdiff_t pixel, __m512i order) {
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(p + pixel)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(p + 2 * pixel)), 2);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(p + 3 * pixel)), 3);
    return _mm512_permutexvar_epi8(order, v);
}

/* `S` outputs from `V` vectors a row; the weights come from the first cache. */
TPUC_INLINE void outputs(const tpuc_line *t, int x, const int rows, const int V, const int S,
                         const int stored, __m512i order, const tpuc_requant_512 *q,
                         __mmask16 mask, const int rounding) {
    __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
    const uint8_t *in = t->in + x * t->advance;
    const int8_t *w = t->weights;
#pragma GCC unroll 5
    for (int row = 0; row < rows; row++) {
#pragma GCC unroll 4
        for (int v = 0; v < V; v++, w += 64 * stored) {
            const __m512i a = gather4(in + t->row[row] + 4 * v * t->pixel, t->pixel, order);
            TPUC_DOT_MEMORY(s0, a, w);
            if (S > 1) TPUC_DOT_MEMORY(s1, a, w + 64);
            if (S > 2) TPUC_DOT_MEMORY(s2, a, w + 128);
            if (S > 3) TPUC_DOT_MEMORY(s3, a, w + 192);
        }
    }
    const __m512i low = _mm512_set1_epi32(t->low);
    uint8_t *out = t->out + x * t->out_pixel;
    _mm_mask_storeu_epi8(out, mask, tpuc_requantize_512(q, s0, low, rounding));
    if (S > 1) _mm_mask_storeu_epi8(out + t->out_pixel, mask, tpuc_requantize_512(q, s1, low, rounding));
    if (S > 2)
        _mm_mask_storeu_epi8(out + 2 * t->out_pixel, mask, tpuc_requantize_512(q, s2, low, rounding));
    if (S > 3)
        _mm_mask_storeu_epi8(out + 3 * t->out_pixel, mask, tpuc_requantize_512(q, s3, low, rounding));
}

TPUC_INLINE void line(const tpuc_line *t, const int rows, const int V, const int S,
                      const int rounding) {
    const __m512i order = _mm512_loadu_si512(ORDER);
    const tpuc_requant_512 q = tpuc_requant_load(t->requant, rounding);
    const __mmask16 mask = (__mmask16)((1u << t->lanes) - 1);
    int x = 0;
    for (; x + S <= t->count; x += S) outputs(t, x, rows, V, S, S, order, &q, mask, rounding);
    if (x == t->count) return;
    if (t->count >= S) { /* the last step does some outputs again */
        outputs(t, t->count - S, rows, V, S, S, order, &q, mask, rounding);
        return;
    }
    for (; x < t->count; x++) outputs(t, x, rows, V, 1, S, order, &q, mask, rounding);
}

TPUC_INLINE void any_line(const tpuc_line *t, const int rounding) {
    if (t->rows == 3 && t->vectors == 1 && t->step == 2) line(t, 3, 1, 2, rounding);
    else if (t->rows == 3 && t->vectors == 1 && t->step == 1) line(t, 3, 1, 1, rounding);
    else if (t->rows == 5 && t->vectors == 2 && t->step == 4) line(t, 5, 2, 4, rounding);
    else if (t->rows == 5 && t->vectors == 2 && t->step == 2) line(t, 5, 2, 2, rounding);
    else if (t->step == 1) line(t, t->rows, t->vectors, 1, rounding);
}

void tpuc_line_vnni(const tpuc_line *t) {
    if (t->rounding == TPUC_TWO_STEPS) any_line(t, TPUC_TWO_STEPS);
    else any_line(t, TPUC_HALF_UP);
}
#else
typedef int tpuc_no_vnni_here;
#endif
