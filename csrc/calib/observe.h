/* Loops over activations for calibration. All are pure functions of their arguments. */
#ifndef TPUC_CALIB_OBSERVE_H
#define TPUC_CALIB_OBSERVE_H

#include <stdint.h>

/* out[0..5] = min, max, sum, sum of |x|, number of non-zeros, 1 if every value is finite else 0.
 * With no finite value min = max = 0. */
void tpuc_observe(const float *x, int64_t n, double *out);

/* counts[floor(|x| / width + 0.5)] += 1 for x != 0, in float32; indices from `bins` on, which is
 * below 2^31, are dropped; n is below 2^31. */
void tpuc_abs_histogram(const float *x, int64_t n, float width, int64_t *counts, int64_t bins);

/* Octav's clipping scale: up to 20 Newton steps from s; `quarter` is 1 / (4^bits * 3 * u). `scratch`
 * holds n numbers. */
double tpuc_octav(const float *x, int64_t n, double s, double quarter, float *scratch);

/* sum |x - mean| */
double tpuc_absolute_deviation(const float *x, int64_t n, float mean);

/* out[0..5] = sums over all i, with n = a - b, of: a*b, a*a, b*b, a, n, n*n. */
void tpuc_similarity(const float *a, const float *b, int64_t n, double *out);

/* sum (a - b)^2, the last sum of tpuc_similarity. */
double tpuc_squared_distance(const float *a, const float *b, int64_t n);

/* out = clip(rint(x * scale), -128, 127) / scale, float32, halves to even. */
void tpuc_fake_quantize(const float *x, int64_t n, float scale, float *out);

/* Number of bins, in steps of `group`, that minimizes the KL divergence, divided by `group`,
 * minus 1. p and q are scratch of n floats each. */
int64_t tpuc_kl_search(const int64_t *counts, int64_t n, int64_t group, float *p, float *q);

#endif
