/* int8 matrix products of two activations, many of one size.
 *
 *     out[b][m][n] = requantize(sum over k of left[b][m][k] * right[b][k][n])
 *
 * Matrices lie in images, in any order of axes. The left one is multiplied as the bytes it is stored
 * as; the zero byte's share, zero * (sum of the column), is taken off in requantization. The right
 * one becomes signed bytes in the blocks of conv.h: bytes of an unsigned matrix are taken apart,
 * b = min(b, 127) + ..., into `parts` sums. */
#ifndef TPUC_MATMUL_H
#define TPUC_MATMUL_H

#include "move.h"

enum { TPUC_MATMUL_PARTS = 3 };

typedef struct {
    int64_t batches, m, n, k;
    const int64_t *left_at, *right_at, *out_at; /* [batches], offsets in bytes */
    const uint8_t *left, *right;
    uint8_t *out;
    tpuc_steps left_step, right_step, out_step; /* of (m, k), (n, k), (m, n) */
    int32_t left_zero, right_zero, parts, low;
    int64_t multiplier, rounding, rshift; /* words of requant.h */
    int32_t pieces, slots;                /* of the rows of each product; of scratch memory */
    uint8_t *scratch;                     /* [slots][tpuc_matmul_scratch], aligned to 64 */
} tpuc_matmul;

int64_t tpuc_matmul_scratch(const tpuc_matmul *matmul);

void tpuc_matmul_run(const tpuc_matmul *matmul, int threads);

#endif
