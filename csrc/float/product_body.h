/* The block of product.h, compiled once per instruction set under the name BLOCK. */
#include "lanes.h"
#include "product.h"

#if defined(__AVX512F__)
enum { SIDE = 4 };
#define SUMS(M) \
    M(0, 0) M(0, 1) M(0, 2) M(0, 3) M(1, 0) M(1, 1) M(1, 2) M(1, 3) \
    M(2, 0) M(2, 1) M(2, 2) M(2, 3) M(3, 0) M(3, 1) M(3, 2) M(3, 3)
#define SIDES(M) M(0) M(1) M(2) M(3)
#else /* sixteen registers of half the width */
enum { SIDE = 2 };
#define SUMS(M) M(0, 0) M(0, 1) M(1, 0) M(1, 1)
#define SIDES(M) M(0) M(1)
#endif

#define POINT(r) \
    const float *a##r = t->a + (i + r < t->rows ? i + r : i) * t->a_row; \
    const float *b##r = t->b + (j + r < t->columns ? j + r : j) * t->b_column;
#define DECLARE(r, c) lanes s##r##c = zero;
#define LOAD(r) const lanes x##r = lanes_load(a##r + ka), w##r = lanes_load(b##r + kb);
#define STEP(r, c) s##r##c = lanes_fma(x##r, w##c, s##r##c);
#define CLEAR(r, c) total[r][c] = zero;
#define KEEP(r, c) \
    total[r][c] = chunk ? lanes_add(total[r][c], s##r##c) : s##r##c; \
    s##r##c = zero;
#define STORE(r, c) \
    if (i + r < t->rows && j + c < t->columns) \
        lanes_store_some(t->out + (i + r) * t->out_row + (j + c) * t->out_column, \
                         lanes_finish(lanes_add(total[r][c], zero), &end), t->channels);

/* Up to SIDE x SIDE results; what lies outside is computed twice and not stored. */
static void tile(const tpuc_float_block *t, int i, int j) {
    const lanes zero = lanes_set(0.0f);
    const tpuc_float_end end = t->end;
    lanes total[SIDE][SIDE];
    SUMS(CLEAR)
    SIDES(POINT)
    SUMS(DECLARE)
    ptrdiff_t ka = 0, kb = 0;
    for (int chunk = 0, k = 0; chunk < t->chunks; chunk++) {
        for (; k < t->chunk_end[chunk]; k++, ka += t->a_term, kb += t->b_term) {
            SIDES(LOAD)
            SUMS(STEP)
        }
        SUMS(KEEP)
    }
    SUMS(STORE)
}

void BLOCK(const tpuc_float_block *t) {
    for (int i = 0; i < t->rows; i += SIDE)
        for (int j = 0; j < t->columns; j += SIDE) tile(t, i, j);
}
