#define PAIR tpuc_pair_vnni
#include "eltwise_body.h"

#if defined(__AVX512VBMI__)
#include <immintrin.h>

/* Bit 7 of the index chooses between two 128-entry halves. */
void tpuc_table_vnni(const uint8_t *table, const uint8_t *in, uint8_t *out, ptrdiff_t count) {
    const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64);
    const __m512i t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
    for (ptrdiff_t i = 0; i < count; i += 64) {
        const ptrdiff_t left = count - i;
        const __mmask64 mask = left >= 64 ? ~0ULL : (1ULL << left) - 1;
        const __m512i x = _mm512_maskz_loadu_epi8(mask, in + i);
        const __m512i low = _mm512_permutex2var_epi8(t0, x, t1);
        const __m512i high = _mm512_permutex2var_epi8(t2, x, t3);
        _mm512_mask_storeu_epi8(out + i, mask,
                                _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high));
    }
}
#endif
