/* How far a lowered image is from the float image of the same tensor. */
#ifndef TPUC_GAP_H
#define TPUC_GAP_H

#include "image.h"

enum { TPUC_GAP_SUMS = 4, TPUC_GAP_LANES = 8 };

/* For each picture, x of `real` (float32) and y = scale * (byte - zero) of `ours` in float32, of
 * the same shape: sums[picture] = sum x y, sum x^2, sum y^2, sum (x - y)^2 and
 * error[picture][c] = sum (x - y) over pixels, all in double. Each sum has one order. */
void tpuc_gap(const tpuc_image *real, const tpuc_image *ours, float scale, double *sums,
              double *error);

/* Picture `n` alone. */
typedef void (*tpuc_gap_function)(const tpuc_image *real, const tpuc_image *ours, int32_t n,
                                  float scale, double *sums, double *error);
void tpuc_gap_portable(const tpuc_image *real, const tpuc_image *ours, int32_t n, float scale,
                       double *sums, double *error);
void tpuc_gap_avx2(const tpuc_image *real, const tpuc_image *ours, int32_t n, float scale,
                   double *sums, double *error);
void tpuc_gap_vnni(const tpuc_image *real, const tpuc_image *ours, int32_t n, float scale,
                   double *sums, double *error);

#endif
