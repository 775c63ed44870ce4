/* int8 transposed convolution to int32, and the requantization of int32 by channel.
 *
 *     y[oy][ox][o] = bias[o] + sum over i, j, k of (x[iy][ix][k] - zero) * weight[i][j][k][o],
 *         iy * stride + i * dilation = oy + top,  ix * stride + j * dilation = ox + left
 *     requantize: clamp((v + (v < 0 ? -1 : 0) + r[c]) >> s[c], low, 255),  v = y * m[c]
 *
 * Halves go away from zero; r[c] = 2^(s-1) + (zero << s), s > 0. In two steps:
 * y = zero + ((t + (t < 0 && s > 0 ? -1 : 0) + r[c]) >> s[c]), t = (v + 2^30) >> 31, r[c] = 2^(s-1). Sums fit int32, checked by the
 * caller. */
#ifndef TPUC_DECONV_H
#define TPUC_DECONV_H

#include "image.h"

typedef struct {
    int32_t groups, in_per_group, out_per_group; /* channels */
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
    const int16_t *weights; /* [group][i][j][k][o] */
    const int32_t *bias;    /* [groups * out_per_group] */
} tpuc_deconv;

/* The words of `out` are int32. */
void tpuc_deconv_run(const tpuc_deconv *deconv, const tpuc_image *in, const tpuc_image *out,
                     int threads);

typedef struct {
    const int64_t *m, *r, *s; /* by channel */
    int32_t low, two_steps, zero;
} tpuc_requant_axis;

void tpuc_requant_axis_run(const tpuc_requant_axis *op, const tpuc_image *in,
                           const tpuc_image *out, int threads);

/* One instruction set's loops over output channels. */
typedef struct {
    /* sum[o] += (x[k] - zero) * weights[k][o] */
    void (*dense)(const uint8_t *x, int zero, int terms, const int16_t *weights, int channels,
                  int32_t *sum);
    /* sum[c] += (x[c] - zero) * weights[c] */
    void (*apart)(const uint8_t *x, int zero, const int16_t *weights, int channels, int32_t *sum);
    void (*requant)(const tpuc_requant_axis *op, const int32_t *in, uint8_t *out, int channels);
} tpuc_deconv_loops;

extern const tpuc_deconv_loops tpuc_deconv_loops_portable, tpuc_deconv_loops_avx2,
    tpuc_deconv_loops_vnni;

#endif
