/* Float convolution as a blocked matrix product, with limits and rounding fused.
 *
 *     v[p][o] = sum over taps t and numbers k of  in[pixel(p) + offset(t) + k] * weight[o][t][k]
 *               + bias[o]
 *
 * The sum runs in the order of t, then k, with a fused multiply-add each, from zero on; then the
 * bias is added: the same bits on every path. A tap is a run of `run` consecutive numbers that starts (dy, dx) pixels
 * from the window's corner: one pixel of a window, or one whole row of it. Weights are packed for a
 * strip of `width` blocks of 16 channels:
 *
 *     weights[group][strip][tap][run][block][16 channels]
 *
 * Images are those of image.h with float32 elements and zero = 0. Matrix products with a constant
 * right side are convolutions of 1 x 1 pictures. */
#ifndef TPUC_FLOAT_CONV_H
#define TPUC_FLOAT_CONV_H

#include "../image.h"
#include "end.h"

enum { TPUC_FLOAT_MAX_TAPS = 512, TPUC_FLOAT_MAX_ROWS = 14, TPUC_FLOAT_WIDTH = 4 };

typedef struct {
    int32_t groups, strips, taps, run;
    int32_t in_per_group, out_per_group; /* channels */
    int32_t stride_h, stride_w, top, left;
    const int32_t *tap_dy, *tap_dx; /* [taps], in pixels */
    const int32_t *strip;           /* [strips + 1]: first block of each, then the end */
    const float *weights;
    const float *bias; /* [groups][blocks per group][16] */
    tpuc_float_end end;
} tpuc_float_conv;

/* One tile: `rows` pixels by `width` blocks. */
typedef struct {
    const float *in[TPUC_FLOAT_MAX_ROWS];
    float *out[TPUC_FLOAT_MAX_ROWS];
    const ptrdiff_t *tap; /* offsets in numbers */
    int32_t taps, run, rows, width;
    int32_t last; /* valid channels of the last block, 1..16 */
    const float *weights, *bias;
    tpuc_float_end end;
} tpuc_float_tile;

typedef void (*tpuc_float_tile_function)(const tpuc_float_tile *tile);

void tpuc_float_tile_portable(const tpuc_float_tile *tile);
void tpuc_float_tile_avx2(const tpuc_float_tile *tile);
void tpuc_float_tile_vnni(const tpuc_float_tile *tile);

void tpuc_float_conv_run(const tpuc_float_conv *conv, const tpuc_image *in, const tpuc_image *out,
                         int threads);

#endif
