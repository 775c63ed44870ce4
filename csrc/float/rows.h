/* Element-wise float ops, copies and casts of images.
 *
 *     pair:        y = finish(a op b), where each dimension of a and b equals y's or is 1
 *     scaled pair: y = finish(t(a * a_scale) op t(b * b_scale)), op + or -; t: half, where the scales
 *                  are halves and a has few bits, or float32 of the product in double
 *     copy:        channels from `first` on of y = finish(x)
 *     from bytes:  y = finish(scale * q)
 *     table:       y = table[16 bits of x]; says whether x holds anything but numbers of the type
 *     to bytes:    q = saturate(round(round_to_type(x * inverse))), halves away from
 *                  zero; NaN is 0; of bfloat16, x is rounded to the type first
 *
 * finish: limits and rounding of end.h. */
#ifndef TPUC_FLOAT_ROWS_H
#define TPUC_FLOAT_ROWS_H

#include "../image.h"
#include "end.h"

typedef enum {
    TPUC_FLOAT_ADD,
    TPUC_FLOAT_SUB,
    TPUC_FLOAT_MUL,
    TPUC_FLOAT_DIV,
    TPUC_FLOAT_MAX,
    TPUC_FLOAT_MIN,
    TPUC_FLOAT_PRELU, /* a, or a * b where a is below 0 */
    TPUC_FLOAT_ADD_HALVES,
    TPUC_FLOAT_ADD_SCALED,
    TPUC_FLOAT_SUB_SCALED
} tpuc_float_kind;

/* A run of `count` numbers; step 0 repeats the first. */
typedef struct {
    const float *a, *b;
    float *out;
    ptrdiff_t count;
    int32_t a_step, b_step;
    double a_scale, b_scale; /* of scaled pairs */
} tpuc_float_run;

/* The loops of one instruction set. */
typedef struct {
    void (*pair)(tpuc_float_kind kind, const tpuc_float_run *run, const tpuc_float_end *end);
    void (*copy)(const float *in, float *out, ptrdiff_t count, const tpuc_float_end *end);
    void (*from_bytes)(const uint8_t *in, float *out, ptrdiff_t count, int zero, float scale,
                       const tpuc_float_end *end);
    void (*to_bytes)(const float *in, uint8_t *out, ptrdiff_t count, int zero, float inverse,
                     int even, const tpuc_float_end *end);
    int (*look_up)(const float *in, float *out, ptrdiff_t count, const float *table, int type);
} tpuc_float_loops;

extern const tpuc_float_loops tpuc_float_loops_portable, tpuc_float_loops_avx2,
    tpuc_float_loops_vnni;

void tpuc_float_pair_run(tpuc_float_kind kind, const tpuc_float_end *end, const tpuc_image *a,
                         const tpuc_image *b, const tpuc_image *out, int threads);
void tpuc_float_scaled_pair_run(tpuc_float_kind kind, const double *scales,
                                const tpuc_float_end *end, const tpuc_image *a,
                                const tpuc_image *b, const tpuc_image *out, int threads);
void tpuc_float_copy_run(const tpuc_float_end *end, const tpuc_image *in, const tpuc_image *out,
                         int first, int threads);
void tpuc_float_from_bytes_run(float scale, const tpuc_float_end *end, const tpuc_image *in,
                               const tpuc_image *out, int threads);
/* Halves go away from zero, or to `even`. */
void tpuc_float_to_bytes_run(float inverse, int even, const tpuc_float_end *end,
                             const tpuc_image *in, const tpuc_image *out, int threads);
/* Returns 0 if all went well; otherwise some results are wrong. */
int tpuc_float_table_run(const float *table, tpuc_float_type type, const tpuc_image *in,
                         const tpuc_image *out, int threads);

/* Contiguous NCHW to an image, limited and rounded; and back. Gathered: plane `places[n * c + i]` of
 * the table is that of channel i of picture n. */
void tpuc_float_load(const tpuc_image *image, const float *plain, const tpuc_float_end *end,
                     int threads);
void tpuc_float_gather(const tpuc_image *image, const float *table, const int64_t *places,
                       const tpuc_float_end *end, int threads);
void tpuc_float_store(const tpuc_image *image, float *plain, int threads);

#endif
