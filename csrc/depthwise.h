/* Depthwise int8 convolution, one filter per channel, with requantization fused.
 *
 * Four neighbouring pixels of 16 channels form a vector [16 channels][4 pixels]. `step` outputs in
 * a row share the `vectors` vectors that start at the first output's window; pixel 4 v + i of them
 * meets output j with weight w[4 v + i - j * stride_w], or zero outside the window:
 *
 *     weights[block][row][vector][output][16 channels][4 pixels] */
#ifndef TPUC_DEPTHWISE_H
#define TPUC_DEPTHWISE_H

#include "image.h"
#include "requant.h"

enum { TPUC_MAX_WINDOW_ROWS = 128 };

typedef struct {
    int32_t channels, rows, vectors, step;
    int32_t stride_h, stride_w, dilation_w, top, left;
    int32_t low, rounding;
    const int32_t *row_dy; /* [rows], in pixels */
    const int8_t *weights;
    const tpuc_requant *requant; /* [blocks] */
} tpuc_depthwise;

/* One row of outputs of one block of channels. */
typedef struct {
    const uint8_t *in;
    uint8_t *out;
    const ptrdiff_t *row;     /* byte offsets of the window's rows */
    ptrdiff_t pixel, advance; /* bytes between the pixels of a vector, and between windows */
    ptrdiff_t out_pixel;
    int32_t rows, vectors, step, count; /* count: outputs */
    int32_t lanes, low, rounding;
    const int8_t *weights;
    const tpuc_requant *requant;
} tpuc_line;

typedef void (*tpuc_line_function)(const tpuc_line *line);

void tpuc_line_portable(const tpuc_line *line);
void tpuc_line_avx2(const tpuc_line *line);
void tpuc_line_vnni(const tpuc_line *line);

void tpuc_depthwise_run(const tpuc_depthwise *conv, const tpuc_image *in, const tpuc_image *out,
                        int threads);

#endif
