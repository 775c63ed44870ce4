/* lanes.h in two 256-bit registers. */
#include <immintrin.h>

typedef struct {
    __m256 a, b;
} lanes;

#define EACH(operation) (lanes) {operation(x.a, y.a), operation(x.b, y.b)}

LANES lanes lanes_load(const float *p) {
    return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
LANES lanes lanes_load_part(const float *p, int count) {
    float whole[TPUC_LANES] = {0};
    memcpy(whole, p, (size_t)count * sizeof(float));
    return lanes_load(whole);
}
LANES void lanes_store(float *p, lanes v) {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
}
LANES void lanes_store_part(float *p, lanes v, int count) {
    float whole[TPUC_LANES];
    lanes_store(whole, v);
    memcpy(p, whole, (size_t)count * sizeof(float));
}
LANES lanes lanes_set(float v) { return (lanes){_mm256_set1_ps(v), _mm256_set1_ps(v)}; }
LANES lanes lanes_fma(lanes x, lanes y, lanes z) {
    return (lanes){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
LANES lanes lanes_add(lanes x, lanes y) { return EACH(_mm256_add_ps); }
LANES lanes lanes_sub(lanes x, lanes y) { return EACH(_mm256_sub_ps); }
LANES lanes lanes_mul(lanes x, lanes y) { return EACH(_mm256_mul_ps); }
LANES lanes lanes_div(lanes x, lanes y) { return EACH(_mm256_div_ps); }
LANES lanes lanes_sqrt(lanes x) { return (lanes){_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
LANES lanes lanes_min(lanes x, lanes y) { return EACH(_mm256_min_ps); }
LANES lanes lanes_max(lanes x, lanes y) { return EACH(_mm256_max_ps); }
LANES __m256 lanes_pick(__m256 test, __m256 a, __m256 b) {
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(test, test, _CMP_UNORD_Q));
}
LANES lanes lanes_if_nan(lanes test, lanes x, lanes y) {
    return (lanes){lanes_pick(test.a, x.a, y.a), lanes_pick(test.b, x.b, y.b)};
}

/* x where it is at least 0, else x * y. */
LANES __m256 lanes_half_prelu(__m256 a, __m256 b) {
    const __m256 high = _mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_GE_OQ);
    return _mm256_blendv_ps(_mm256_mul_ps(a, b), a, high);
}
LANES lanes lanes_prelu(lanes x, lanes y) { return EACH(lanes_half_prelu); }

LANES __m256 lanes_half_f16(__m256 v) {
    return _mm256_cvtph_ps(_mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
LANES lanes lanes_f16(lanes v) { return (lanes){lanes_half_f16(v.a), lanes_half_f16(v.b)}; }

/* To the nearest, or cut. */
LANES __m256 lanes_half_bf16(__m256 v, int nearest) {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    const __m256i number = nearest ? up : bits;
    const __m256i kept = _mm256_and_si256(number, _mm256_set1_epi32((int)0xFFFF0000));
    return lanes_pick(v, v, _mm256_castsi256_ps(kept));
}
LANES lanes lanes_bf16(lanes v, int nearest) {
    return (lanes){lanes_half_bf16(v.a, nearest), lanes_half_bf16(v.b, nearest)};
}

LANES __m256 lanes_half_from(const uint8_t *p, int zero) {
    const __m256i q = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(q, _mm256_set1_epi32(zero)));
}
LANES lanes lanes_from_bytes(const uint8_t *p, int zero) {
    return (lanes){lanes_half_from(p, zero), lanes_half_from(p + 8, zero)};
}

/* Saturate, then round: halves away from zero; NaN becomes 0. The difference is exact. */
LANES __m256i lanes_half_rounded(__m256 v, int zero) {
    v = _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q));
    v = _mm256_min_ps(v, _mm256_set1_ps((float)(255 - zero)));
    v = _mm256_max_ps(v, _mm256_set1_ps((float)-zero));
    const __m256i whole = _mm256_cvttps_epi32(v);
    const __m256 rest = _mm256_sub_ps(v, _mm256_cvtepi32_ps(whole));
    const __m256 up = _mm256_cmp_ps(rest, _mm256_set1_ps(0.5f), _CMP_GE_OQ); /* -1 where true */
    const __m256 down = _mm256_cmp_ps(rest, _mm256_set1_ps(-0.5f), _CMP_LE_OQ);
    const __m256i q = _mm256_sub_epi32(whole, _mm256_castps_si256(up));
    return _mm256_add_epi32(_mm256_add_epi32(q, _mm256_castps_si256(down)),
                            _mm256_set1_epi32(zero));
}
LANES void lanes_to_bytes(uint8_t *p, lanes v, int zero) {
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(lanes_half_rounded(v.a, zero), lanes_half_rounded(v.b, zero)), 0xD8);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi16(_mm256_castsi256_si128(words),
                                                    _mm256_extracti128_si256(words, 1)));
}

/* Bit i: number i is not 0. */
LANES unsigned lanes_half_some(__m256 a) {
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_NEQ_UQ));
}
LANES unsigned lanes_some(lanes x) { return lanes_half_some(x.a) | lanes_half_some(x.b) << 8; }

LANES int lanes_differ(lanes x, lanes y) {
    const __m256 a = _mm256_cmp_ps(x.a, y.a, _CMP_NEQ_OQ), b = _mm256_cmp_ps(x.b, y.b, _CMP_NEQ_OQ);
    return _mm256_movemask_ps(_mm256_or_ps(a, b)) != 0;
}

/* The 16 bits of numbers that the type can hold. */
LANES void lanes_bits_f16(uint16_t *p, lanes v) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT));
}
LANES void lanes_bits_bf16(uint16_t *p, lanes v) {
    uint32_t bits[TPUC_LANES];
    memcpy(bits, &v, sizeof bits);
    for (int i = 0; i < TPUC_LANES; i++) p[i] = (uint16_t)(bits[i] >> 16);
}

#undef EACH
