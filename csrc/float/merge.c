#include "merge.h"

#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__)
#define TPUC_CLONES __attribute__((target_clones("default", "avx2")))
#else
#define TPUC_CLONES
#endif

TPUC_CLONES static void add_scaled(const float *restrict x, float factor, int64_t n,
                                   float *restrict out) {
    for (int64_t i = 0; i < n; i++) out[i] += factor * x[i];
}

void tpuc_float_merge(const float *second, const float *first, int64_t e, int64_t d, int64_t c,
                      int64_t t, float *out) {
    for (int64_t row = 0; row < e; row++, second += d * t, out += c * t)
        for (int64_t middle = 0; middle < d; middle++) {
            const float *line = first + middle * c, *taps = second + middle * t;
            if (t == 1) {
                add_scaled(line, taps[0], c, out);
                continue;
            }
            for (int64_t i = 0; i < c; i++) add_scaled(taps, line[i], t, out + i * t);
        }
}
