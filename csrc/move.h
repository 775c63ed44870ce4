/* Strided copies: whatever only moves numbers (slices, permutations, padding, repetition).
 *
 *     out[i0 * out_0 + i1 * out_1 + ...] = in[i0 * in_0 + i1 * in_1 + ...],  0 <= i_d < count_d
 *
 * Strides are in bytes, may be negative, and those of the input may be 0. The last dimension is the
 * innermost; the one before it should be the one along which the input lies together, if that is
 * not the last. The two sides do not overlap. */
#ifndef TPUC_MOVE_H
#define TPUC_MOVE_H

#include <stddef.h>
#include <stdint.h>

enum { TPUC_MOVE_DIMS = 12 };

typedef struct {
    const uint8_t *in;
    uint8_t *out;
    int32_t dims, element; /* at least 2 dimensions; elements of 1 or 4 bytes */
    int64_t count[TPUC_MOVE_DIMS];
    ptrdiff_t in_step[TPUC_MOVE_DIMS], out_step[TPUC_MOVE_DIMS];
} tpuc_move;

void tpuc_move_run(const tpuc_move *move, int threads);

/* rows x columns bytes, at (row step, column step). */
typedef struct {
    ptrdiff_t row, column;
} tpuc_steps;

void tpuc_move_bytes(const uint8_t *in, tpuc_steps in_step, uint8_t *out, tpuc_steps out_step,
                     int64_t rows, int64_t columns);

#endif
