/* One picture of tpuc_gap; the including file sets GAP, a type `wide` of 8 doubles and what is done
 * with it. Every version adds the same numbers in the same order. */
#include "calib/gap.h"

#include <string.h>

static inline void add_pixel(wide *to, const float *a, const uint8_t *q, int32_t zero,
                             float scale) {
    const wide u = wide_of_floats(a), v = wide_of_bytes(q, zero, scale), d = wide_sub(u, v);
    to[0] = wide_add(to[0], wide_mul(u, v));
    to[1] = wide_add(to[1], wide_mul(u, u));
    to[2] = wide_add(to[2], wide_mul(v, v));
    to[3] = wide_add(to[3], wide_mul(d, d));
    to[4] = wide_add(to[4], d);
}

enum { TILE = 32 };

/* Some channels of some pixels of one row. */
static inline void add_channels(wide *to, double *error, const tpuc_image *real,
                                const tpuc_image *ours, const uint8_t *a, const uint8_t *q,
                                size_t many, int32_t pixels, float scale) {
    double lanes[TPUC_GAP_LANES] = {0};
    memcpy(lanes, error, sizeof *error * many);
    to[4] = wide_load(lanes);
    for (int32_t x = 0; x < pixels; x++, a += real->pixel, q += ours->pixel) {
        if (many == TPUC_GAP_LANES) {
            add_pixel(to, (const float *)a, q, ours->zero, scale);
        } else {
            float some[TPUC_GAP_LANES] = {0};
            uint8_t bytes[TPUC_GAP_LANES];
            memset(bytes, ours->zero, sizeof bytes);
            memcpy(some, a, sizeof *some * many);
            memcpy(bytes, q, many);
            add_pixel(to, some, bytes, ours->zero, scale);
        }
    }
    wide_store(lanes, to[4]);
    memcpy(error, lanes, sizeof *error * many);
}

void GAP(const tpuc_image *real, const tpuc_image *ours, int32_t n, float scale, double *sums,
         double *error) {
    const int32_t c = real->c;
    wide to[5] = {wide_zero(), wide_zero(), wide_zero(), wide_zero(), wide_zero()};
    memset(error, 0, sizeof *error * (size_t)c);
    for (int32_t y = 0; y < real->h; y++)
        for (int32_t x = 0; x < real->w; x += TILE) { /* what all channels read stays in a cache */
            const int32_t pixels = real->w - x < TILE ? real->w - x : TILE;
            const uint8_t *a = real->data + n * real->image + y * real->row + x * real->pixel;
            const uint8_t *q = ours->data + n * ours->image + y * ours->row + x * ours->pixel;
            for (int32_t first = 0; first < c; first += TPUC_GAP_LANES) {
                const int32_t left = c - first < TPUC_GAP_LANES ? c - first : TPUC_GAP_LANES;
                add_channels(to, error + first, real, ours, a + 4 * first, q + first, (size_t)left,
                             pixels, scale);
            }
        }
    double lanes[TPUC_GAP_LANES];
    for (int k = 0; k < TPUC_GAP_SUMS; k++) {
        sums[k] = 0.0;
        wide_store(lanes, to[k]);
        for (int i = 0; i < TPUC_GAP_LANES; i++) sums[k] += lanes[i];
    }
}
