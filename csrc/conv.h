/* int8 convolution as a blocked matrix product, with requantization fused.
 *
 *     sum[p][o] = sum over taps t and channels k of  image[pixel(p) + offset(t) + k] *
 * weight[o][t][k]
 *
 * A tap is a run of 4 * k4 consecutive bytes that starts (dy, dx) pixels from the window's corner:
 * one pixel of a window, or one whole row of it. Weights are packed for a run of `width` blocks of
 * 16 channels:
 *
 *     weights[strip][tap][k4][block][16 channels][4 bytes]
 *
 * Matrix products with a constant right side are convolutions of 1 x 1 pictures. */
#ifndef TPUC_CONV_H
#define TPUC_CONV_H

#include "image.h"
#include "requant.h"

enum { TPUC_MAX_TAPS = 512, TPUC_MAX_ROWS = 14 };

typedef struct {
    int32_t first,
        width;      /* blocks of the output channels: first .. first + width - 1 of the group */
    int64_t offset; /* of its weights, in bytes */
} tpuc_strip;

typedef struct {
    int32_t groups, strips, taps, k4;
    int32_t in_per_group, out_per_group; /* channels */
    int32_t stride_h, stride_w, top, left;
    int32_t low, rounding;
    const int32_t *tap_dy, *tap_dx; /* [taps], in pixels */
    const tpuc_strip *strip;        /* [strips], the same for every group */
    int64_t group_weights;          /* bytes of weights per group */
    const int8_t *weights;
    const tpuc_requant *requant; /* [groups][blocks per group] */
} tpuc_conv;

/* One tile: `rows` pixels by `width` blocks. */
typedef struct {
    const uint8_t *in[TPUC_MAX_ROWS];
    uint8_t *out[TPUC_MAX_ROWS];
    const ptrdiff_t *tap; /* byte offsets */
    int32_t taps, k4, rows, width;
    int32_t lanes; /* valid channels of the last block, 1..16 */
    int32_t low, rounding;
    const int8_t *weights;
    const tpuc_requant *requant;
} tpuc_tile;

typedef void (*tpuc_tile_function)(const tpuc_tile *tile);

void tpuc_tile_portable(const tpuc_tile *tile);
void tpuc_tile_avx2(const tpuc_tile *tile);
void tpuc_tile_vnni(const tpuc_tile *tile);

/* Most pixels a tile may have, by width in blocks (1..4). */
int tpuc_tile_rows(int width);

void tpuc_conv_run(const tpuc_conv *conv, const tpuc_image *in, const tpuc_image *out, int threads);

#endif
