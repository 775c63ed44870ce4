/* Float convolution as a blocked matrix product, with limits and rounding fused.
 *
 *     v[p][o] = ((partial_0 + partial_1) + ...) + bias[o]
 *     partial_j = chain of fused multiply-adds, from zero on, over the terms of chunk j
 *     term c * taps + t = in[pixel(p) + offset(t)][c] * weight[o][c][t]
 *
 * or, where `lanes` is 8, eight chains in turn (see tile_of_lanes). The order is that of
 * kernels/float_order.py, so all paths give the same bits. Weights are packed for a strip of
 * `width` blocks of 16 channels:
 *
 *     weights[group][strip][term][block][16 channels]
 *
 * Images are those of image.h with float32 elements and zero = 0. Matrix products with a constant
 * right side are convolutions of 1 x 1 pictures. */
#ifndef TPUC_FLOAT_CONV_H
#define TPUC_FLOAT_CONV_H

#include "../image.h"
#include "end.h"

enum { TPUC_FLOAT_MAX_TAPS = 512, TPUC_FLOAT_MAX_ROWS = 14, TPUC_FLOAT_WIDTH = 4 };

typedef struct {
    int32_t groups, strips, taps, terms, chunks, lanes;
    int32_t in_per_group, out_per_group; /* channels */
    int32_t stride_h, stride_w, top, left;
    int32_t skips; /* zeros may be left out: see sparse.h */
    const int32_t *tap_dy, *tap_dx; /* [taps], in pixels */
    const int32_t *strip;           /* [strips + 1]: first block of each, then the end */
    const int32_t *chunk_end;       /* [chunks]: terms up to the end of each */
    const float *weights;
    const float *bias; /* [groups][blocks per group][16] */
    tpuc_float_end end;
} tpuc_float_conv;

/* One tile: `rows` pixels by `width` blocks. Strides in numbers. */
typedef struct {
    const float *in[TPUC_FLOAT_MAX_ROWS];
    float *out[TPUC_FLOAT_MAX_ROWS];
    const ptrdiff_t *tap;
    ptrdiff_t step, advance; /* from term to term: of the input if there is one tap, of weights */
    const int32_t *chunk_end;
    int32_t taps, chunks, lanes, rows, width;
    int32_t last; /* valid channels of the last block, 1..16 */
    const float *weights, *bias; /* [width][16] */
    const float *row_bias;       /* [rows], instead of `bias`; or NULL */
    tpuc_float_end end;
} tpuc_float_tile;

typedef void (*tpuc_float_tile_function)(const tpuc_float_tile *tile);

/* The tile of the instruction set in use, and its most pixels by width. */
typedef struct {
    tpuc_float_tile_function function;
    int rows[TPUC_FLOAT_WIDTH + 1];
} tpuc_float_path;

tpuc_float_path tpuc_float_path_in_use(void);

void tpuc_float_tile_portable(const tpuc_float_tile *tile);
void tpuc_float_tile_avx2(const tpuc_float_tile *tile);
void tpuc_float_tile_vnni(const tpuc_float_tile *tile);

void tpuc_float_conv_run(const tpuc_float_conv *conv, const tpuc_image *in, const tpuc_image *out,
                         int threads);

#endif
