/* Element-wise int8 ops of two images, and any 8-bit function of one.
 *
 *     Add:  y = ((a * m0 + h0) >> s0) + sign * ((b * m1 + h1) >> s1)      h = 2^(s-1), 0 if s = 0
 *     Sum:  y = (a * m0 + sign * b * m1 + h0) >> s0
 *     Mul:  y = (a * b * m0 + h0) >> s0
 *     Twice: y = (t + (t < 0 ? -1 : 0) + h0) >> s0, t = (a * b * m0 + 2^30) >> 31  (s0 = 0: y = t)
 *     Max, Min: y = (max(a * m0, b * m1) + h0) >> s0, the same with min
 *     PRelu: y = (a * m1 + h1) >> s1, or (a * b + h0) >> s0 where a is below 0
 *     stored byte = clamp(y + zero, low, 255)
 *
 * a and b are the integers behind the stored bytes, less their zero points, and zero is the byte of
 * 0; of Max and Min they are the stored integers themselves, and zero is the image's bias. Ranges,
 * checked by the caller: |m| < 2^14, 0 <= s <= 30, but 0 <= m0 < 2^31 for Twice. Every intermediate
 * value then fits int32. */
#ifndef TPUC_ELTWISE_H
#define TPUC_ELTWISE_H

#include "image.h"

typedef enum { TPUC_ADD, TPUC_MUL, TPUC_MAX, TPUC_MIN, TPUC_PRELU, TPUC_SUM, TPUC_TWICE } tpuc_eltwise_kind;

typedef struct {
    int32_t kind, sign, m0, m1, s0, s1, low;
} tpuc_eltwise;

/* `count` pixels of `channels`; b_pixel = 0 repeats one pixel of b. */
typedef struct {
    const uint8_t *a, *b;
    uint8_t *out;
    ptrdiff_t a_pixel, b_pixel, out_pixel;
    int32_t count, channels, a_zero, b_zero, zero;
} tpuc_pair;

typedef void (*tpuc_pair_function)(const tpuc_eltwise *op, const tpuc_pair *pair);

void tpuc_pair_portable(const tpuc_eltwise *op, const tpuc_pair *pair);
void tpuc_pair_avx2(const tpuc_eltwise *op, const tpuc_pair *pair);
void tpuc_pair_vnni(const tpuc_eltwise *op, const tpuc_pair *pair);

/* b has the shape of a, or 1 x 1 pictures. */
void tpuc_eltwise_run(const tpuc_eltwise *op, const tpuc_image *a, const tpuc_image *b,
                      const tpuc_image *out, int threads);

/* out = table[in] on stored bytes. */
void tpuc_table_run(const uint8_t *table, const tpuc_image *in, const tpuc_image *out, int threads);

typedef void (*tpuc_table_function)(const uint8_t *table, const uint8_t *in, uint8_t *out,
                                    ptrdiff_t count);
void tpuc_table_portable(const uint8_t *table, const uint8_t *in, uint8_t *out, ptrdiff_t count);
void tpuc_table_vnni(const uint8_t *table, const uint8_t *in, uint8_t *out, ptrdiff_t count);

/* Channels of `in` to channels from `first` of `out`, clamped to [low, 255] of the output's bytes.
 */
void tpuc_copy_channels(const tpuc_image *in, const tpuc_image *out, int first, int low,
                        int threads);

#endif
