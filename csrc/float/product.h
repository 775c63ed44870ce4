/* Products of matrices that lie in images: lanes run along the channels.
 *
 *     y[n][i][j][c] = finish(sum over k of a[n][i][k][c] * b[n][k][j][c or none] + bias[j])
 *
 * Tensors of rank 4 (batch, c, i, k) times (batch, c, k, j): by channel. Tensors of rank 3 (batch,
 * c, k), which are images one row high, times (batch, k, j): `b` has no c, and its k is a channel
 * of its image. A constant `right` has neither batch nor c. Sums run in chunks as in conv.h. */
#ifndef TPUC_FLOAT_PRODUCT_H
#define TPUC_FLOAT_PRODUCT_H

#include "conv.h"

typedef struct {
    int32_t terms, chunks;
    const int32_t *chunk_end; /* [chunks] */
    int32_t by_channel, left_transpose, right_transpose;
    const float *right; /* [j][k], or NULL: an image */
    const float *bias;  /* [j], or zeros */
    tpuc_float_end end;
} tpuc_float_product;

/* rows x columns results of one block of channels; strides in numbers. */
typedef struct {
    const float *a, *b;
    float *out;
    ptrdiff_t a_row, a_term, b_term, b_column, out_row, out_column;
    int32_t rows, columns, channels, chunks;
    const int32_t *chunk_end;
    tpuc_float_end end;
} tpuc_float_block;

typedef void (*tpuc_float_block_function)(const tpuc_float_block *block);

void tpuc_float_block_portable(const tpuc_float_block *block);
void tpuc_float_block_avx2(const tpuc_float_block *block);
void tpuc_float_block_vnni(const tpuc_float_block *block);

void tpuc_float_product_run(const tpuc_float_product *product, const tpuc_image *a,
                            const tpuc_image *b, const tpuc_image *out, int threads);

#endif
