/* The loops of sparse.h, compiled once per instruction set under the name LOOPS. */
#include "lanes.h"
#include "sparse.h"

static uint64_t some(const float *in, int count) {
    uint64_t bits = 0;
    for (int i = 0; i < count; i += TPUC_LANES)
        bits |= (uint64_t)lanes_some(lanes_load_some(in + i, count - i)) << i;
    return bits;
}

/* Sums are named, not indexed: an array of registers would live in memory. Those beyond A + B
 * vanish. */
#define BLOCKS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define DECLARE(n) lanes s##n = N > n && !fresh ? lanes_load(sum + TPUC_LANES * n) : zero;
#define STEP(n) \
    if (N > n) s##n = lanes_fma(x, lanes_load(n < A ? w + TPUC_LANES * n \
                                                    : v + TPUC_LANES * (n - A)), s##n);
#define KEEP(n) \
    if (N > n) lanes_store(sum + TPUC_LANES * n, s##n);

/* Strips of A and B blocks. */
LANES void segment_of(const tpuc_sparse_segment *t, const int A, const int B) {
    const int N = A + B, fresh = t->fresh;
    const lanes zero = lanes_set(0.0f);
    float *sum = t->sum;
    for (int p = 0; p < t->pixels; p++, sum += TPUC_LANES * N) {
        const float *in = t->in[p] + t->first;
        BLOCKS(DECLARE)
        for (uint64_t left = t->some[p]; left; left &= left - 1) {
            const int i = __builtin_ctzll(left);
            const float *w = t->weights[0] + TPUC_LANES * A * i;
            const float *v = t->weights[1] + TPUC_LANES * B * i;
            const lanes x = lanes_set(in[i]);
            BLOCKS(STEP)
        }
        BLOCKS(KEEP)
    }
}

#define CASE(A, B) \
    case 8 * A + B: segment_of(t, A, B); break;

static void segment(const tpuc_sparse_segment *t) {
    switch (8 * t->width[0] + t->width[1]) {
        CASE(1, 0) CASE(2, 0) CASE(3, 0) CASE(4, 0)
        CASE(2, 3) CASE(3, 2) CASE(3, 3) CASE(3, 4) CASE(4, 3) CASE(4, 4)
    }
}

static void join(float *total, const float *sum, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i += TPUC_LANES)
        lanes_store(total + i, lanes_add(lanes_load(total + i), lanes_load(sum + i)));
}

static void finish(const tpuc_sparse_end *t) {
    const tpuc_float_end end = t->end;
    const float *sum = t->sum;
    for (int p = 0; p < t->pixels; p++) {
        for (int n = 0; n < t->width; n++, sum += TPUC_LANES) {
            const lanes v = lanes_add(lanes_load(sum), lanes_load(t->bias + TPUC_LANES * n));
            lanes_store_some(t->out[p] + TPUC_LANES * n, lanes_finish(v, &end),
                             n + 1 < t->width ? TPUC_LANES : t->last);
        }
    }
}

const tpuc_sparse_loops LOOPS = {some, segment, join, finish};
