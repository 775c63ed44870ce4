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
    int first, type;
    float factor;
    const float *table;
    atomic_int *strange;
} job;

/* Item of all loops: one row of one picture. */
static uint8_t *row_of(const tpuc_image *m, const tpuc_image *out, int64_t item) {
    const int64_t n = item / out->h, y = item % out->h;
    return m->data + (m->n == 1 ? 0 : n * m->image) + (m->h == 1 ? 0 : y * m->row);
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
    const uint8_t *from_a = row_of(a, out, item), *from_b = row_of(b, out, item);
    uint8_t *to = row_of(out, out, item);
    tpuc_float_run run = {.a_step = a->c > 1, .b_step = b->c > 1, .count = out->c};
    int pixels = out->w;
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
    const job j = {.a = a, .b = b, .out = out, .end = end, .loops = choose(), .kind = kind};
    tpuc_parallel(threads, (int64_t)out->n * out->h, pair_item, &j);
}

static void copy_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->a, *out = j->out;
    const uint8_t *from = row_of(in, out, item);
    uint8_t *to = row_of(out, out, item) + j->first * sizeof(float);
    const int whole = in->pixel == out->pixel && in->c == out->c;
    const ptrdiff_t count = whole ? (ptrdiff_t)in->c * in->w : in->c;
    for (int x = 0; x < (whole ? 1 : in->w); x++, from += in->pixel, to += out->pixel)
        j->loops->copy((const float *)from, (float *)to, count, j->end);
}

void tpuc_float_copy_run(const tpuc_float_end *end, const tpuc_image *in, const tpuc_image *out,
                         int first, int threads) {
    const job j = {.a = in, .out = out, .end = end, .loops = choose(), .first = first};
    tpuc_parallel(threads, (int64_t)out->n * out->h, copy_item, &j);
}

static void from_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->a, *out = j->out;
    const uint8_t *from = row_of(in, out, item);
    uint8_t *to = row_of(out, out, item);
    const int whole = in->pixel == in->c;
    const ptrdiff_t count = whole ? (ptrdiff_t)in->c * in->w : in->c;
    for (int x = 0; x < (whole ? 1 : in->w); x++, from += in->pixel, to += out->pixel)
        j->loops->from_bytes(from, (float *)to, count, in->zero, j->factor, j->end);
}

void tpuc_float_from_bytes_run(float scale, const tpuc_float_end *end, const tpuc_image *in,
                               const tpuc_image *out, int threads) {
    const job j = {.a = in, .out = out, .end = end, .loops = choose(), .factor = scale};
    tpuc_parallel(threads, (int64_t)out->n * out->h, from_item, &j);
}

static void to_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->a, *out = j->out;
    const uint8_t *from = row_of(in, out, item);
    uint8_t *to = row_of(out, out, item);
    const int whole = out->pixel == out->c;
    const ptrdiff_t count = whole ? (ptrdiff_t)in->c * in->w : in->c;
    for (int x = 0; x < (whole ? 1 : in->w); x++, from += in->pixel, to += out->pixel)
        j->loops->to_bytes((const float *)from, to, count, out->zero, j->factor, j->end);
}

void tpuc_float_to_bytes_run(float inverse, const tpuc_float_end *end, const tpuc_image *in,
                             const tpuc_image *out, int threads) {
    const job j = {.a = in, .out = out, .end = end, .loops = choose(), .factor = inverse};
    tpuc_parallel(threads, (int64_t)out->n * out->h, to_item, &j);
}

static void table_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->a, *out = j->out;
    const float *from = (const float *)row_of(in, out, item);
    float *to = (float *)row_of(out, out, item);
    if (j->loops->look_up(from, to, (ptrdiff_t)in->c * in->w, j->table, j->type))
        atomic_store(j->strange, 1);
}

int tpuc_float_table_run(const float *table, tpuc_float_type type, const tpuc_image *in,
                         const tpuc_image *out, int threads) {
    atomic_int strange = 0;
    const job j = {.a = in, .out = out, .loops = choose(), .type = type, .table = table,
                   .strange = &strange};
    tpuc_parallel(threads, (int64_t)out->n * out->h, table_item, &j);
    return atomic_load(&strange);
}
