/* Float depthwise convolution, one filter per channel, with limits and rounding fused.
 *
 *     v[p][c] = sum over rows r and columns s of  in[pixel(p) + (r, s)][c] * weight + bias[c]
 *
 * in the order of r, then s, with a fused multiply-add each, from zero on. Weights:
 * [block][row][column][16]. */
#ifndef TPUC_FLOAT_DEPTHWISE_H
#define TPUC_FLOAT_DEPTHWISE_H

#include "../image.h"
#include "end.h"

typedef struct {
    int32_t channels, rows, columns;
    int32_t stride_h, stride_w, dilation_h, dilation_w, top, left;
    const float *weights, *bias;
    tpuc_float_end end;
} tpuc_float_depthwise;

enum { TPUC_FLOAT_OUTPUTS = 8 };

/* Up to 8 outputs of a row of one block of channels; strides in numbers. */
typedef struct {
    const float *in;
    float *out;
    ptrdiff_t row, column, advance, out_pixel;
    int32_t rows, columns, count, channels;
    const float *weights, *bias;
    tpuc_float_end end;
} tpuc_float_line;

typedef void (*tpuc_float_line_function)(const tpuc_float_line *line);

void tpuc_float_line_portable(const tpuc_float_line *line);
void tpuc_float_line_avx2(const tpuc_float_line *line);
void tpuc_float_line_vnni(const tpuc_float_line *line);

void tpuc_float_depthwise_run(const tpuc_float_depthwise *conv, const tpuc_image *in,
                              const tpuc_image *out, int threads);

#endif
