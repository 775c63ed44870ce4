/* Ops along the rows of images: softmax, norms and sums over the numbers that one row holds of a
 * channel; softmax and sums also over the channels of a pixel. Sums are added one after another, every step
 * is rounded to float32:
 *
 *     softmax:     e_x = float32(exp(in_x - max)),   y_x = e_x / (e_0 + e_1 + ...)
 *     layer norm:  d_x = in_x - sum / n,   r = 1 / sqrt(sum of d^2 / n + eps),
 *                  y_x = d_x * r * weight_x + bias_x
 *     rms norm:    y_x = in_x / sqrt(sum of in^2 / n + eps) * weight_x
 *     sum:         y = (in_0 + in_1 + ...) * factor, over `rows` rows, one result; or, of channels,
 *                  over those of a pixel, one result a pixel
 *
 * then limits and rounding of end.h. */
#ifndef TPUC_FLOAT_ALONG_H
#define TPUC_FLOAT_ALONG_H

#include "../image.h"
#include "end.h"

typedef enum {
    TPUC_SOFTMAX,
    TPUC_SOFTMAX_CHANNELS,
    TPUC_LAYER_NORM,
    TPUC_RMS_NORM,
    TPUC_SUM,
    TPUC_SUM_CHANNELS
} tpuc_float_along_kind;

typedef struct {
    int32_t kind, rows; /* rows: of one sum */
    const float *weight, *bias; /* [w], or NULL */
    float eps, factor;
    tpuc_float_end end;
} tpuc_float_along;

/* One row of one block of channels, one pixel, or a block of pixels whose channels are added;
 * strides in numbers. */
typedef struct {
    const float *in;
    float *out;
    ptrdiff_t in_row, in_pixel, out_pixel;
    int32_t count, channels;
} tpuc_float_track;

typedef void (*tpuc_float_along_function)(const tpuc_float_along *, const tpuc_float_track *);

void tpuc_float_along_portable(const tpuc_float_along *, const tpuc_float_track *);
void tpuc_float_along_avx2(const tpuc_float_along *, const tpuc_float_track *);
void tpuc_float_along_vnni(const tpuc_float_along *, const tpuc_float_track *);

void tpuc_float_along_run(const tpuc_float_along *along, const tpuc_image *in,
                          const tpuc_image *out, int threads);

#endif
