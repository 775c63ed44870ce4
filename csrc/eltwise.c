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

enum { PIECE = 4096 };

/* Shares of each row: about 4096 bytes. */
static int pieces_of(const tpuc_image *out) {
    const int64_t most = (int64_t)out->pixel * out->w / PIECE;
    return most < 1 ? 1 : most < out->w ? (int)most : out->w;
}

typedef struct {
    const tpuc_eltwise *op;
    const tpuc_image *a, *b, *out;
    tpuc_pair_function function;
    int pieces;
} pair_job;

/* Item: some pixels of one row of one picture. */
static void pair_item(const void *context, int64_t item) {
    const pair_job *j = context;
    const tpuc_image *a = j->a, *b = j->b, *out = j->out;
    const int64_t piece = item % j->pieces, line = item / j->pieces;
    const int n = (int)(line / out->h), y = (int)(line % out->h);
    const int x = (int)(out->w * piece / j->pieces), end = (int)(out->w * (piece + 1) / j->pieces);
    const int raw = j->op->kind == TPUC_MAX || j->op->kind == TPUC_MIN;
    const int small = b->h == 1 && b->w == 1 && out->h * out->w > 1;
    const tpuc_pair pair = {
        .a = a->data + n * a->image + y * a->row + x * a->pixel,
        .b = b->data + n * b->image + (small ? 0 : y * b->row + x * b->pixel),
        .out = out->data + n * out->image + y * out->row + x * out->pixel,
        .a_pixel = a->pixel,
        .b_pixel = small ? 0 : b->pixel,
        .out_pixel = out->pixel,
        .count = end - x,
        .channels = out->c,
        .a_zero = raw ? a->bias : a->zero,
        .b_zero = raw ? b->bias : b->zero,
        .zero = raw ? out->bias : out->zero,
    };
    j->function(j->op, &pair);
}

void tpuc_eltwise_run(const tpuc_eltwise *op, const tpuc_image *a, const tpuc_image *b,
                      const tpuc_image *out, int threads) {
    const pair_job j = {op, a, b, out, choose(), pieces_of(out)};
    tpuc_parallel(threads, (int64_t)out->n * out->h * j.pieces, pair_item, &j);
}

void tpuc_table_portable(const uint8_t *table, const uint8_t *in, uint8_t *out, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) out[i] = table[in[i]];
}

typedef struct {
    const uint8_t *table;
    const tpuc_image *in, *out;
    tpuc_table_function function;
    int pieces;
} table_job;

static void table_item(const void *context, int64_t item) {
    const table_job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const ptrdiff_t piece = item % j->pieces, line = item / j->pieces;
    const ptrdiff_t n = line / out->h, y = line % out->h;
    const ptrdiff_t first = out->w * piece / j->pieces, end = out->w * (piece + 1) / j->pieces;
    const uint8_t *from = in->data + n * in->image + y * in->row + first * in->pixel;
    uint8_t *to = out->data + n * out->image + y * out->row + first * out->pixel;
    if (in->pixel == out->pixel) {
        j->function(j->table, from, to, (end - first - 1) * out->pixel + out->c);
        return;
    }
    for (ptrdiff_t x = 0; x < end - first; x++)
        j->function(j->table, from + x * in->pixel, to + x * out->pixel, out->c);
}

void tpuc_table_run(const uint8_t *table, const tpuc_image *in, const tpuc_image *out,
                    int threads) {
    table_job j = {table, in, out, tpuc_table_portable, pieces_of(out)};
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) j.function = tpuc_table_vnni;
#endif
    tpuc_parallel(threads, (int64_t)out->n * out->h * j.pieces, table_item, &j);
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
