#define ALONG tpuc_float_along_portable
#include "along_body.h"

#include "../cpu.h"
#include "../parallel.h"

static tpuc_float_along_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_float_along_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_float_along_avx2;
#endif
    return tpuc_float_along_portable;
}

typedef struct {
    const tpuc_float_along *along;
    const tpuc_image *in, *out;
    tpuc_float_along_function function;
    int blocks;
} job;

static ptrdiff_t numbers(ptrdiff_t bytes) { return bytes / (ptrdiff_t)sizeof(float); }

/* Item: one row (or the rows of one sum) of one block of channels. */
static void row_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const int c = (int)(item % j->blocks) * TPUC_LANES;
    const int64_t y = item / j->blocks % out->h, n = item / j->blocks / out->h;
    const int64_t first = j->along->kind == TPUC_SUM ? y * j->along->rows : y;
    const tpuc_float_track track = {
        .in = (const float *)(in->data + n * in->image + first * in->row) + c,
        .out = (float *)(out->data + n * out->image + y * out->row) + c,
        .in_row = numbers(in->row),
        .in_pixel = numbers(in->pixel),
        .out_pixel = numbers(out->pixel),
        .count = in->w,
        .channels = out->c - c < TPUC_LANES ? out->c - c : TPUC_LANES,
    };
    j->function(j->along, &track);
}

/* Item: one row of pixels. */
static void pixels_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const int64_t n = item / out->h, y = item % out->h;
    tpuc_float_track track = {
        .in = (const float *)(in->data + n * in->image + y * in->row),
        .out = (float *)(out->data + n * out->image + y * out->row),
        .count = in->c,
    };
    for (int x = 0; x < out->w; x++) {
        j->function(j->along, &track);
        track.in += numbers(in->pixel), track.out += numbers(out->pixel);
    }
}

/* Item: a block of the pixels of one picture of one row; results follow one another. */
static void sums_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const int x = (int)(item % j->blocks) * TPUC_LANES;
    const int64_t n = item / j->blocks;
    const tpuc_float_track track = {
        .in = (const float *)(in->data + n * in->image + x * in->pixel),
        .out = (float *)(out->data + n * out->image) + x,
        .in_pixel = numbers(in->pixel),
        .count = in->c,
        .channels = in->w - x < TPUC_LANES ? in->w - x : TPUC_LANES,
    };
    j->function(j->along, &track);
}

void tpuc_float_along_run(const tpuc_float_along *along, const tpuc_image *in,
                          const tpuc_image *out, int threads) {
    if (along->kind == TPUC_SUM_CHANNELS) {
        const job j = {along, in, out, choose(), (in->w + TPUC_LANES - 1) / TPUC_LANES};
        tpuc_parallel(threads, (int64_t)in->n * j.blocks, sums_item, &j);
        return;
    }
    const int of_channels = along->kind == TPUC_SOFTMAX_CHANNELS;
    const int blocks = of_channels ? 1 : (out->c + TPUC_LANES - 1) / TPUC_LANES;
    const job j = {along, in, out, choose(), blocks};
    tpuc_parallel(threads, (int64_t)out->n * out->h * blocks, of_channels ? pixels_item : row_item,
                  &j);
}
