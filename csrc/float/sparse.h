/* Float convolution of pictures that are mostly zeros, as rectified ones are.
 *
 * A term whose input is 0 leaves a sum as it is: fma(0, w, s) = s for every finite w. Zeros are
 * therefore left out, and the order of the others is that of conv.h. The one thing that could
 * differ is the sign of a sum that is zero, and adding a bias that is not -0 removes it. So
 * conv.h and this give the same bits where
 *
 *     one tap, one chain a chunk, weights finite, no bias is -0        (field `skips`)
 *
 * Zeros lie elsewhere in every pixel, so pixels do not share loads of weights: the terms are cut
 * into segments whose weights stay in the first cache while all pixels of a piece pass. */
#ifndef TPUC_FLOAT_SPARSE_H
#define TPUC_FLOAT_SPARSE_H

#include "conv.h"

enum { TPUC_SPARSE_PIXELS = 128, TPUC_SPARSE_BLOCKS = 8, TPUC_SPARSE_TERMS = 48 };

/* One segment of at most 64 terms of one or two strips, over some pixels. */
typedef struct {
    const float *const *in;    /* [pixels] */
    const uint64_t *some;      /* [pixels]: bit i: term first + i is not 0 */
    float *sum;                /* [pixels][width[0] + width[1]][16] */
    const float *weights[2];   /* of term `first` */
    int32_t width[2];          /* the second may be 0 */
    int32_t first, pixels, fresh; /* fresh: sums begin at 0 */
} tpuc_sparse_segment;

/* The end of sums of all chunks. */
typedef struct {
    const float *sum, *bias;
    float *const *out;
    int32_t width, pixels, last; /* last: valid channels of the last block */
    tpuc_float_end end;
} tpuc_sparse_end;

/* The loops of one instruction set. */
typedef struct {
    uint64_t (*some)(const float *in, int count); /* which of up to 64 numbers are not 0 */
    void (*segment)(const tpuc_sparse_segment *segment);
    void (*join)(float *total, const float *sum, ptrdiff_t count); /* total += sum */
    void (*finish)(const tpuc_sparse_end *end);
} tpuc_sparse_loops;

extern const tpuc_sparse_loops tpuc_sparse_loops_portable, tpuc_sparse_loops_avx2,
    tpuc_sparse_loops_vnni;

/* Whether leaving out zeros pays. */
int tpuc_float_sparse_pays(const tpuc_float_conv *conv, const tpuc_image *in,
                           const tpuc_image *out);

void tpuc_float_sparse_run(const tpuc_float_conv *conv, const tpuc_image *in, const tpuc_image *out,
                           int threads);

#endif
