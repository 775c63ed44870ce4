#include <stdint.h>

typedef struct {
    double v[8];
} wide;

#define EACH(VALUE)                                    \
    do {                                               \
        wide to;                                       \
        for (int i = 0; i < 8; i++) to.v[i] = (VALUE); \
        return to;                                     \
    } while (0)

static inline wide wide_zero(void) { return (wide){{0}}; }
static inline wide wide_load(const double *from) { EACH(from[i]); }
static inline wide wide_add(wide a, wide b) { EACH(a.v[i] + b.v[i]); }
static inline wide wide_sub(wide a, wide b) { EACH(a.v[i] - b.v[i]); }
static inline wide wide_mul(wide a, wide b) { EACH(a.v[i] * b.v[i]); }
static inline wide wide_of_floats(const float *a) { EACH(a[i]); }
static inline wide wide_of_bytes(const uint8_t *q, int32_t zero, float scale) {
    EACH((float)((int32_t)q[i] - zero) * scale);
}
static inline void wide_store(double *to, wide a) {
    for (int i = 0; i < 8; i++) to[i] = a.v[i];
}

#define GAP tpuc_gap_portable
#include "calib/gap_body.h"

#include "cpu.h"

static tpuc_gap_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_gap_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_gap_avx2;
#endif
    return tpuc_gap_portable;
}

void tpuc_gap(const tpuc_image *real, const tpuc_image *ours, float scale, double *sums,
              double *error) {
    const tpuc_gap_function one = choose();
    for (int32_t n = 0; n < real->n; n++)
        one(real, ours, n, scale, sums + n * TPUC_GAP_SUMS, error + n * (int64_t)real->c);
}
