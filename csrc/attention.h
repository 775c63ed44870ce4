/* Heads of int8 attention, from their q, k and v to what the last product takes; on rows of bytes.
 *
 *     p = requant(q k^T), less 255 where the mask is not 0, cut to int8
 *     a[t] = e[t] / (sum of e * scale), e = table[127 - p], rounded half away from zero, uint8;
 *            0 where the sum is 0
 *     y = requant(a v)
 *     requant: (v + (v < 0 ? -1 : 0) + 2^(s-1)) >> s, v = sum * m, cut to int8; s > 0
 *
 * Bytes are biased, number + 128; 128 * (sum of the column) is taken off by the bias of a product.
 * The powers e are added one after another in float32.
 *
 * A matrix (terms, columns) is packed as [block of 16 columns][terms / 4][16 columns][4 terms], with
 * zeros beyond both. Sums, and sums after the shift, fit int32, checked by the caller. */
#ifndef TPUC_ATTENTION_H
#define TPUC_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

enum { TPUC_ATTENTION_ROWS = 8 };

typedef struct {
    int64_t multiplier, shift;
} tpuc_attention_words;

/* One head: numbers of its q and of its v, and where they lie in a row of bytes. */
typedef struct {
    int32_t width, depth;
    int32_t query, key, value, mixed;
    tpuc_attention_words score_words, mixed_words;
    const float *table; /* [256] */
    float scale;
} tpuc_attention;

/* Memory of one run. Rows are readable to a multiple of 16 bytes. */
typedef struct {
    int64_t batch, tokens;
    const uint8_t *parts; /* q, k and v of every head, [batch * tokens] */
    ptrdiff_t part_pitch;
    const int32_t *mask; /* [mask_batch][tokens], or null */
    int64_t mask_batch;
    uint8_t *mixed; /* y of every head, [batch * tokens] */
    ptrdiff_t mixed_pitch;
    uint8_t *scratch; /* tpuc_attention_scratch bytes, aligned to 64 */
} tpuc_attention_run_on;

/* Bytes of scratch memory. */
int64_t tpuc_attention_scratch(const tpuc_attention *heads, int64_t count, int64_t batch,
                               int64_t tokens);

/* At least one head. */
void tpuc_attention_run(const tpuc_attention *heads, int64_t count,
                        const tpuc_attention_run_on *on, int threads);

/* A constant matrix, packed. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias; /* by column, whole blocks */
    int32_t terms, columns;
} tpuc_attention_matrix;

/* y = rows of bytes times a constant matrix, in int32; rows of y follow one another. */
void tpuc_attention_sums(const tpuc_attention_matrix *matrix, const uint8_t *x, ptrdiff_t pitch,
                         int64_t rows, int32_t *y, int threads);

/* One instruction set's loops. */
typedef struct {
    /* sums[r][c] = bias[c] + the product of `rows` rows of 4 * k4 bytes, `pitch` apart, and `blocks`
     * blocks of weights. */
    void (*product)(const uint8_t *x, ptrdiff_t pitch, int rows, const int8_t *weights, int k4,
                    int blocks, const int32_t *bias, int32_t *sums, ptrdiff_t sum_pitch);
    /* Biased bytes of requant(sums). */
    void (*requant)(const int32_t *sums, int count, tpuc_attention_words words, uint8_t *bytes);
    /* The shares of all rows of a group: e = table[255 - byte], out = round(e / (sum of e * scale)).
     * powers: memory for [tokens][rows]. */
    void (*shares)(const uint8_t *lines, ptrdiff_t pitch, int tokens, const float *table,
                   float scale, float *powers, uint8_t *out, ptrdiff_t out_pitch);
    /* out = a + b, cut to int32 */
    void (*add)(const int32_t *a, const int32_t *b, int32_t *out, int count);
} tpuc_attention_loops;

extern const tpuc_attention_loops tpuc_attention_portable, tpuc_attention_avx2,
    tpuc_attention_vnni;

/* out[i] = a[i] + b[i], cut to int32 */
void tpuc_add_plain(const int32_t *a, const int32_t *b, int32_t *out, int64_t count, int threads);

/* out[i] = cut to int8 of requant(in[i]) */
void tpuc_requant_plain(const int32_t *in, int8_t *out, int64_t count, tpuc_attention_words words,
                        int threads);

#endif
