#define LINE tpuc_float_line_portable
#include "depthwise_body.h"

#include "../cpu.h"
#include "../parallel.h"

static tpuc_float_line_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_float_line_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_float_line_avx2;
#endif
    return tpuc_float_line_portable;
}

typedef struct {
    const tpuc_float_depthwise *conv;
    const tpuc_image *in, *out;
    tpuc_float_line_function function;
    int rows; /* of outputs, per item */
} job;

static ptrdiff_t numbers(ptrdiff_t bytes) { return bytes / (ptrdiff_t)sizeof(float); }

/* Item: some rows of one picture, one block of channels, whose weights then stay in the first
 * cache. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_float_depthwise *v = j->conv;
    const tpuc_image *in = j->in, *out = j->out;
    const int blocks = (v->channels + TPUC_LANES - 1) / TPUC_LANES, block = (int)(item % blocks);
    const int pieces = (out->h + j->rows - 1) / j->rows, piece = (int)(item / blocks % pieces);
    const int64_t n = item / blocks / pieces;
    const int left = v->channels - block * TPUC_LANES;
    const float *source =
        (const float *)(in->data + n * in->image - v->left * in->pixel - v->top * in->row);
    float *target = (float *)(out->data + n * out->image) + block * TPUC_LANES;
    tpuc_float_line line = {
        .row = numbers(v->dilation_h * in->row),
        .column = numbers(v->dilation_w * in->pixel),
        .advance = numbers(v->stride_w * in->pixel),
        .out_pixel = numbers(out->pixel),
        .rows = v->rows,
        .columns = v->columns,
        .count = out->w,
        .channels = left < TPUC_LANES ? left : TPUC_LANES,
        .weights = v->weights + (ptrdiff_t)block * v->rows * v->columns * TPUC_LANES,
        .bias = v->bias + block * TPUC_LANES,
        .end = v->end,
    };
    for (int y = piece * j->rows; y < out->h && y < (piece + 1) * j->rows; y++) {
        line.in = source + block * TPUC_LANES + numbers((ptrdiff_t)y * v->stride_h * in->row);
        line.out = target + numbers(y * out->row);
        j->function(&line);
    }
}

void tpuc_float_depthwise_run(const tpuc_float_depthwise *v, const tpuc_image *in,
                              const tpuc_image *out, int threads) {
    job j = {.conv = v, .in = in, .out = out, .function = choose()};
    j.rows = 1 + 128 / out->w;
    if (j.rows > out->h) j.rows = out->h;
    const int blocks = (v->channels + TPUC_LANES - 1) / TPUC_LANES;
    const int64_t pieces = (out->h + j.rows - 1) / j.rows;
    tpuc_parallel(threads, out->n * pieces * blocks, run_item, &j);
}
