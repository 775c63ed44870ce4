#include "calib/gap_reals.h"

typedef __m512d wide;

static inline wide wide_zero(void) { return _mm512_setzero_pd(); }
static inline wide wide_load(const double *from) { return _mm512_loadu_pd(from); }
static inline wide wide_add(wide a, wide b) { return _mm512_add_pd(a, b); }
static inline wide wide_sub(wide a, wide b) { return _mm512_sub_pd(a, b); }
static inline wide wide_mul(wide a, wide b) { return _mm512_mul_pd(a, b); }
static inline void wide_store(double *to, wide a) { _mm512_storeu_pd(to, a); }
static inline wide wide_of_floats(const float *a) { return _mm512_cvtps_pd(_mm256_loadu_ps(a)); }
static inline wide wide_of_bytes(const uint8_t *q, int32_t zero, float scale) {
    return _mm512_cvtps_pd(gap_reals(q, zero, scale));
}

#define GAP tpuc_gap_vnni
#include "calib/gap_body.h"
