/* Heads of int8 attention that are added up, on plain arrays of (batch, tokens, ...).
 *
 *     q = requant(x wq + bq), k and v alike       int8, each with a multiplier and a shift
 *     p = requant(q k^T), less 255 where the mask is not 0, cut to int8
 *     a[t] = e[t] / (sum of e * scale), e = table[127 - p], rounded half away from zero, uint8;
 *            0 where the sum is 0
 *     y = requant(a v) wo + bo                     int32
 *     requant: (v + (v < 0 ? -1 : 0) + 2^(s-1)) >> s, v = sum * m, cut to int8; s > 0
 *
 * Bytes of x, q and requant(a v) are multiplied as biased ones, number + 128; 128 * (sum of the
 * column) is taken off by the bias. The powers e are added one after another in float32.
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

/* A constant matrix, packed. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias; /* by column, whole blocks */
    int32_t terms, columns;
} tpuc_attention_matrix;

typedef struct {
    tpuc_attention_matrix query, key, value, out;
    tpuc_attention_words query_words, key_words, value_words, score_words, mixed_words;
    const float *table; /* [256] */
    float scale;
} tpuc_attention;

/* Memory of one run. */
typedef struct {
    int64_t batch, tokens;
    const int8_t *x;
    const int32_t *mask; /* [mask_batch][tokens], or null */
    int64_t mask_batch;
    int32_t *y; /* the heads one after the other, each sum cut to int32 */
    uint8_t *scratch; /* tpuc_attention_scratch bytes, aligned to 64 */
} tpuc_attention_run_on;

/* Bytes of scratch memory. */
int64_t tpuc_attention_scratch(const tpuc_attention *const *heads, int64_t count, int64_t batch,
                               int64_t tokens);

/* Heads of one width of x and of y, at least one. */
void tpuc_attention_run(const tpuc_attention *const *heads, int64_t count,
                        const tpuc_attention_run_on *on, int threads);

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
