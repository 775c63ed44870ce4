#include "calib/gap_reals.h"

typedef struct {
    __m256d low, high;
} wide;

static inline wide both(__m256d low, __m256d high) { return (wide){low, high}; }
static inline wide wide_zero(void) { return both(_mm256_setzero_pd(), _mm256_setzero_pd()); }
static inline wide wide_load(const double *from) {
    return both(_mm256_loadu_pd(from), _mm256_loadu_pd(from + 4));
}
static inline wide wide_add(wide a, wide b) {
    return both(_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high));
}
static inline wide wide_sub(wide a, wide b) {
    return both(_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high));
}
static inline wide wide_mul(wide a, wide b) {
    return both(_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high));
}
static inline void wide_store(double *to, wide a) {
    _mm256_storeu_pd(to, a.low);
    _mm256_storeu_pd(to + 4, a.high);
}
static inline wide widen(__m256 a) {
    return both(_mm256_cvtps_pd(_mm256_castps256_ps128(a)),
                _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
}
static inline wide wide_of_floats(const float *a) { return widen(_mm256_loadu_ps(a)); }
static inline wide wide_of_bytes(const uint8_t *q, int32_t zero, float scale) {
    return widen(gap_reals(q, zero, scale));
}

#define GAP tpuc_gap_avx2
#include "calib/gap_body.h"
