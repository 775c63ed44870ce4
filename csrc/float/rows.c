#define LOOPS tpuc_float_loops_portable
#include "rows_body.h"

#include <stdatomic.h>

#include "../cpu.h"
#include "../parallel.h"

static const tpuc_float_loops *choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return &tpuc_float_loops_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return &tpuc_float_loops_avx2;
#endif
    return &tpuc_float_loops_portable;
}

typedef struct {
    const tpuc_image *a, *b, *out;
    const tpuc_float_end *end;
    const tpuc_float_loops *loops;
    tpuc_float_kind kind;
    int first, type, pieces, even;
    float factor;
    const float *table;
    const double *scales;
    atomic_int *strange;
} job;

enum { PIECE = 4096 };

/* Shares of each row: about 4096 numbers. */
static int pieces_of(const tpuc_image *out) {
    const int64_t most = (int64_t)out->c * out->w / PIECE;
    return most < 1 ? 1 : most < out->w ? (int)most : out->w;
}

/* Item of all loops: some pixels of one row of one picture. */
typedef struct {
    int64_t n, y;
    int x, count;
} stretch;

static stretch stretch_of(const job *j, int64_t item) {
    const int64_t row = item / j->pieces, piece = item % j->pieces;
    const int x = (int)(j->out->w * piece / j->pieces);
    const int end = (int)(j->out->w * (piece + 1) / j->pieces);
    return (stretch){row / j->out->h, row % j->out->h, x, end - x};
}

static void run_items(job *j, int threads, tpuc_task task) {
    j->loops = choose(), j->pieces = pieces_of(j->out);
    tpuc_parallel(threads, (int64_t)j->out->n * j->out->h * j->pieces, task, j);
}

static uint8_t *start_of(const tpuc_image *m, stretch s) {
    return m->data + (m->n == 1 ? 0 : s.n * m->image) + (m->h == 1 ? 0 : s.y * m->row) +
           (m->w == 1 ? 0 : s.x * m->pixel);
}

static ptrdiff_t step_of(const tpuc_image *m) { return m->w == 1 ? 0 : m->pixel; }

/* Bytes of a row follow one another, or are one number again and again. */
static int is_even(const tpuc_image *m, const tpuc_image *out) {
    if (m->w == 1 && m->c == 1) return 1;
    return m->w == out->w && m->c == out->c && m->pixel == (ptrdiff_t)sizeof(float) * m->c;
}

static void pair_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *a = j->a, *b = j->b, *out = j->out;
    const stretch s = stretch_of(j, item);
    const uint8_t *from_a = start_of(a, s), *from_b = start_of(b, s);
    uint8_t *to = start_of(out, s);
    tpuc_float_run run = {.a_step = a->c > 1, .b_step = b->c > 1, .count = out->c};
    if (j->scales != NULL) run.a_scale = j->scales[0], run.b_scale = j->scales[1];
    int pixels = s.count;
    if (is_even(a, out) && is_even(b, out) && is_even(out, out)) {
        run.count *= pixels, pixels = 1;
        run.a_step = a->w * a->c > 1, run.b_step = b->w * b->c > 1;
    }
    for (int x = 0; x < pixels; x++) {
        run.a = (const float *)(from_a + x * step_of(a));
        run.b = (const float *)(from_b + x * step_of(b));
        run.out = (float *)(to + x * out->pixel);
        j->loops->pair(j->kind, &run, j->end);
    }
}

void tpuc_float_pair_run(tpuc_float_kind kind, const tpuc_float_end *end, const tpuc_image *a,
                         const tpuc_image *b, const tpuc_image *out, int threads) {
    job j = {.a = a, .b = b, .out = out, .end = end, .kind = kind};
    run_items(&j, threads, pair_item);
}

void tpuc_float_scaled_pair_run(tpuc_float_kind kind, const double *scales,
                                const tpuc_float_end *end, const tpuc_image *a,
                                const tpuc_image *b, const tpuc_image *out, int threads) {
    job j = {.a = a, .b = b, .out = out, .end = end, .kind = kind, .scales = scales};
    run_items(&j, threads, pair_item);
}

static void copy_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->a, *out = j->out;
    const stretch s = stretch_of(j, item);
    const uint8_t *from = start_of(in, s);
    uint8_t *to = start_of(out, s) + j->first * sizeof(float);
    const int whole = in->pixel == out->pixel && in->c == out->c;
    const ptrdiff_t count = whole ? (ptrdiff_t)in->c * s.count : in->c;
    for (int x = 0; x < (whole ? 1 : s.count); x++, from += in->pixel, to += out->pixel)
        j->loops->copy((const float *)from, (float *)to, count, j->end);
}

void tpuc_float_copy_run(const tpuc_float_end *end, const tpuc_image *in, const tpuc_image *out,
                         int first, int threads) {
    job j = {.a = in, .out = out, .end = end, .first = first};
    run_items(&j, threads, copy_item);
}

static void from_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->a, *out = j->out;
    const stretch s = stretch_of(j, item);
    const uint8_t *from = start_of(in, s);
    uint8_t *to = start_of(out, s);
    const int whole = in->pixel == in->c;
    const ptrdiff_t count = whole ? (ptrdiff_t)in->c * s.count : in->c;
    for (int x = 0; x < (whole ? 1 : s.count); x++, from += in->pixel, to += out->pixel)
        j->loops->from_bytes(from, (float *)to, count, in->zero, j->factor, j->end);
}

void tpuc_float_from_bytes_run(float scale, const tpuc_float_end *end, const tpuc_image *in,
                               const tpuc_image *out, int threads) {
    job j = {.a = in, .out = out, .end = end, .factor = scale};
    run_items(&j, threads, from_item);
}

static void to_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->a, *out = j->out;
    const stretch s = stretch_of(j, item);
    const uint8_t *from = start_of(in, s);
    uint8_t *to = start_of(out, s);
    const int whole = out->pixel == out->c;
    const ptrdiff_t count = whole ? (ptrdiff_t)in->c * s.count : in->c;
    for (int x = 0; x < (whole ? 1 : s.count); x++, from += in->pixel, to += out->pixel)
        j->loops->to_bytes((const float *)from, to, count, out->zero, j->factor, j->even,
                          j->end);
}

void tpuc_float_to_bytes_run(float inverse, int even, const tpuc_float_end *end,
                             const tpuc_image *in, const tpuc_image *out, int threads) {
    job j = {.a = in, .out = out, .end = end, .factor = inverse, .even = even};
    run_items(&j, threads, to_item);
}

static void table_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->a, *out = j->out;
    const stretch s = stretch_of(j, item);
    const float *from = (const float *)start_of(in, s);
    float *to = (float *)start_of(out, s);
    if (j->loops->look_up(from, to, (ptrdiff_t)in->c * s.count, j->table, j->type))
        atomic_store(j->strange, 1);
}

int tpuc_float_table_run(const float *table, tpuc_float_type type, const tpuc_image *in,
                         const tpuc_image *out, int threads) {
    atomic_int strange = 0;
    job j = {.a = in, .out = out, .type = type, .table = table,
                   .strange = &strange};
    run_items(&j, threads, table_item);
    return atomic_load(&strange);
}
