#define PAIR tpuc_pair_portable
#include "eltwise_body.h"

#include "cpu.h"
#include "parallel.h"

static tpuc_pair_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_pair_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_pair_avx2;
#endif
    return tpuc_pair_portable;
}

typedef struct {
    const tpuc_eltwise *op;
    const tpuc_image *a, *b, *out;
    tpuc_pair_function function;
} pair_job;

/* Item: one row of one picture. */
static void pair_item(const void *context, int64_t item) {
    const pair_job *j = context;
    const tpuc_image *a = j->a, *b = j->b, *out = j->out;
    const int n = (int)(item / out->h), y = (int)(item % out->h);
    const int raw = j->op->kind == TPUC_MAX || j->op->kind == TPUC_MIN;
    const int small = b->h == 1 && b->w == 1 && out->h * out->w > 1;
    const tpuc_pair pair = {
        .a = a->data + n * a->image + y * a->row,
        .b = b->data + n * b->image + (small ? 0 : y) * b->row,
        .out = out->data + n * out->image + y * out->row,
        .a_pixel = a->pixel,
        .b_pixel = small ? 0 : b->pixel,
        .out_pixel = out->pixel,
        .count = out->w,
        .channels = out->c,
        .a_zero = raw ? a->bias : a->zero,
        .b_zero = raw ? b->bias : b->zero,
        .zero = raw ? out->bias : out->zero,
    };
    j->function(j->op, &pair);
}

void tpuc_eltwise_run(const tpuc_eltwise *op, const tpuc_image *a, const tpuc_image *b,
                      const tpuc_image *out, int threads) {
    const pair_job j = {op, a, b, out, choose()};
    tpuc_parallel(threads, (int64_t)out->n * out->h, pair_item, &j);
}

void tpuc_table_portable(const uint8_t *table, const uint8_t *in, uint8_t *out, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) out[i] = table[in[i]];
}

typedef struct {
    const uint8_t *table;
    const tpuc_image *in, *out;
    tpuc_table_function function;
} table_job;

static void table_item(const void *context, int64_t item) {
    const table_job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const ptrdiff_t n = item / out->h, y = item % out->h;
    const uint8_t *from = in->data + n * in->image + y * in->row;
    uint8_t *to = out->data + n * out->image + y * out->row;
    if (in->pixel == out->pixel) {
        j->function(j->table, from, to, (ptrdiff_t)(out->w - 1) * out->pixel + out->c);
        return;
    }
    for (int x = 0; x < out->w; x++)
        j->function(j->table, from + x * in->pixel, to + x * out->pixel, out->c);
}

void tpuc_table_run(const uint8_t *table, const tpuc_image *in, const tpuc_image *out,
                    int threads) {
    table_job j = {table, in, out, tpuc_table_portable};
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) j.function = tpuc_table_vnni;
#endif
    tpuc_parallel(threads, (int64_t)out->n * out->h, table_item, &j);
}

typedef struct {
    const tpuc_image *in, *out;
    int first, low;
} copy_job;

static void copy_item(const void *context, int64_t item) {
    const copy_job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const int shift = out->zero - in->zero, channels = in->c;
    const ptrdiff_t n = item / out->h, y = item % out->h;
    const uint8_t *from = in->data + n * in->image + y * in->row;
    uint8_t *to = out->data + n * out->image + y * out->row + j->first;
    for (int x = 0; x < out->w; x++, from += in->pixel, to += out->pixel)
        for (int c = 0; c < channels; c++) to[c] = clamped(from[c] + shift, j->low);
}

void tpuc_copy_channels(const tpuc_image *in, const tpuc_image *out, int first, int low,
                        int threads) {
    const copy_job j = {in, out, first, low};
    tpuc_parallel(threads, (int64_t)out->n * out->h, copy_item, &j);
}
