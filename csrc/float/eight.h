/* 8-bit floats: float32 numbers rounded in place to those that the type can hold.
 *
 *     y = round((float)((double)v / step)), one step for all channels or one for each; none: v
 *
 * Rounding is to nearest even. F8E4M3 saturates at 448; F8E5M2 becomes infinite beyond 57344; NaN
 * stays NaN. */
#ifndef TPUC_FLOAT_EIGHT_H
#define TPUC_FLOAT_EIGHT_H

#include "../image.h"
#include "end.h"

typedef enum { TPUC_F8E4M3, TPUC_F8E5M2 } tpuc_float_eight_type;

typedef struct {
    const double *steps;
    int32_t count; /* of steps: 0, 1, or the channels */
    int32_t type;
} tpuc_float_eight;

void tpuc_float_eight_run(const tpuc_float_eight *eight, const tpuc_image *image, int threads);

/* Some pixels of `channels` numbers that follow one another, in each instruction set. */
typedef void (*tpuc_float_eight_loop)(const tpuc_float_eight *eight, float *x, ptrdiff_t pixels,
                                      ptrdiff_t channels);
void tpuc_float_eight_portable(const tpuc_float_eight *eight, float *x, ptrdiff_t pixels,
                               ptrdiff_t channels);
void tpuc_float_eight_avx2(const tpuc_float_eight *eight, float *x, ptrdiff_t pixels,
                           ptrdiff_t channels);
void tpuc_float_eight_vnni(const tpuc_float_eight *eight, float *x, ptrdiff_t pixels,
                           ptrdiff_t channels);

#endif
