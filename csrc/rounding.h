/* Learned rounding of one output channel: steepest descent over which weights are rounded up. */
#ifndef TPUC_ROUNDING_H
#define TPUC_ROUNDING_H

#include <stdint.h>

/* h[i][j] = sum over p of x[i][p] x[j][p] and cross[i][j] = sum of d[i][p] x[j][p]; x and d are
 * n x count. Of whole numbers whose sums stay below 2^53 both are exact. */
void tpuc_moments(const float *x, const float *d, int64_t n, int64_t count, double *h,
                  double *cross);

/* Minimizes e H e' + 2 e c over e, where each of n weights may be moved by one step: up if its room
 * is 1, down if it is -1, then back; room 0 pins it. On entry and on return gradient = e H + c.
 * cost[i] = H[i][i], infinite where pinned. Each flip is the one that gains most, the first of
 * equals; it ends where none gains. With whole numbers in H every update is exact. */
void tpuc_round_descent(const double *h, const double *cost, int64_t n, double *gradient,
                        double *room);

#endif
