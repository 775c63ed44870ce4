/* lanes.h in one 512-bit register. */
#include <immintrin.h>

typedef __m512 lanes;

LANES __mmask16 lanes_mask(int count) { return (__mmask16)((1u << count) - 1); }
LANES lanes lanes_load(const float *p) { return _mm512_loadu_ps(p); }
LANES lanes lanes_load_part(const float *p, int count) {
    return _mm512_maskz_loadu_ps(lanes_mask(count), p);
}
LANES void lanes_store(float *p, lanes v) { _mm512_storeu_ps(p, v); }
LANES void lanes_store_part(float *p, lanes v, int count) {
    _mm512_mask_storeu_ps(p, lanes_mask(count), v);
}
LANES lanes lanes_set(float v) { return _mm512_set1_ps(v); }
LANES lanes lanes_fma(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
LANES lanes lanes_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
LANES lanes lanes_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
LANES lanes lanes_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
LANES lanes lanes_div(lanes a, lanes b) { return _mm512_div_ps(a, b); }
LANES lanes lanes_sqrt(lanes a) { return _mm512_sqrt_ps(a); }
/* b where either is NaN, and where both are zeros. */
LANES lanes lanes_min(lanes a, lanes b) { return _mm512_min_ps(a, b); }
LANES lanes lanes_max(lanes a, lanes b) { return _mm512_max_ps(a, b); }
/* a where `test` is NaN, else b. */
LANES lanes lanes_if_nan(lanes test, lanes a, lanes b) {
    return _mm512_mask_mov_ps(b, _mm512_cmp_ps_mask(test, test, _CMP_UNORD_Q), a);
}

/* a where it is at least 0, else a * b. */
LANES lanes lanes_prelu(lanes a, lanes b) {
    const __mmask16 high = _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_GE_OQ);
    return _mm512_mask_mov_ps(_mm512_mul_ps(a, b), high, a);
}

LANES lanes lanes_f16(lanes v) {
    return _mm512_cvtph_ps(_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* To the nearest, or cut. */
LANES lanes lanes_bf16(lanes v, int nearest) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    const __m512i number = nearest ? up : bits;
    const __m512i kept = _mm512_and_si512(number, _mm512_set1_epi32((int)0xFFFF0000));
    return lanes_if_nan(v, v, _mm512_castsi512_ps(kept));
}

LANES lanes lanes_from_bytes(const uint8_t *p, int zero) {
    const __m512i q = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(q, _mm512_set1_epi32(zero)));
}

/* Saturate, then round: halves away from zero; NaN becomes 0. The difference is exact. */
LANES void lanes_to_bytes(uint8_t *p, lanes v, int zero) {
    v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
    v = lanes_max(lanes_min(v, lanes_set((float)(255 - zero))), lanes_set((float)-zero));
    const __m512i whole = _mm512_cvttps_epi32(v), one = _mm512_set1_epi32(1);
    const lanes rest = lanes_sub(v, _mm512_cvtepi32_ps(whole));
    __m512i q = _mm512_add_epi32(whole, _mm512_set1_epi32(zero));
    q = _mm512_mask_add_epi32(q, _mm512_cmp_ps_mask(rest, lanes_set(0.5f), _CMP_GE_OQ), q, one);
    q = _mm512_mask_sub_epi32(q, _mm512_cmp_ps_mask(rest, lanes_set(-0.5f), _CMP_LE_OQ), q, one);
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(q));
}

/* Bit i: number i is not 0. */
LANES unsigned lanes_some(lanes a) {
    return _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_NEQ_UQ);
}

LANES int lanes_differ(lanes a, lanes b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_OQ) != 0; }

/* The 16 bits of numbers that the type can hold. */
LANES void lanes_bits_f16(uint16_t *p, lanes v) {
    const __m256i half = _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm256_storeu_si256((__m256i *)p, half);
}
LANES void lanes_bits_bf16(uint16_t *p, lanes v) {
    _mm256_storeu_si256((__m256i *)p,
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(v), 16)));
}
