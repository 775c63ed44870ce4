/* int8 scaling by channel, whose sum has 16 bits.
 *
 *     v[c] = clamp((x[c] - in_zero) * m[c] + b[c], least, most)
 *     stored byte = clamp((v[c] >> s[c]) + zero, low, 255)      the shift rounds down
 *
 * Ranges, checked by the caller: |m|, |b| < 2^16 and 0 <= s <= 31. */
#ifndef TPUC_SCALE_H
#define TPUC_SCALE_H

#include "image.h"

typedef struct {
    const int32_t *m, *b, *s; /* [channels] */
    int32_t least, most, low;
} tpuc_scale;

typedef struct {
    int32_t in_zero, zero, channels;
} tpuc_scale_pixel;

typedef void (*tpuc_scale_function)(const tpuc_scale *scale, const tpuc_scale_pixel *pixel,
                                    const uint8_t *in, uint8_t *out);

void tpuc_scale_portable(const tpuc_scale *, const tpuc_scale_pixel *, const uint8_t *, uint8_t *);
void tpuc_scale_avx2(const tpuc_scale *, const tpuc_scale_pixel *, const uint8_t *, uint8_t *);
void tpuc_scale_vnni(const tpuc_scale *, const tpuc_scale_pixel *, const uint8_t *, uint8_t *);

void tpuc_scale_run(const tpuc_scale *scale, const tpuc_image *in, const tpuc_image *out,
                    int threads);

#endif
