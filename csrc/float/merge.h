/* Filter of two convolutions in one, the first of them 1x1. */
#ifndef TPUC_FLOAT_MERGE_H
#define TPUC_FLOAT_MERGE_H

#include <stdint.h>

/* out[e][c][t] += second[e][d][t] * first[d][c], one d after the other, without fused additions. */
void tpuc_float_merge(const float *second, const float *first, int64_t e, int64_t d, int64_t c,
                      int64_t t, float *out);

#endif
