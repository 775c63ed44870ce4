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
    int pieces, split, rows; /* shares of the blocks, of the outputs of a row; rows of an item */
} job;

static ptrdiff_t numbers(ptrdiff_t bytes) { return bytes / (ptrdiff_t)sizeof(float); }

static int blocks_of(const tpuc_float_depthwise *v) {
    return (v->channels + TPUC_LANES - 1) / TPUC_LANES;
}

/* A tile of outputs, block by block: its input stays in the first cache. */
static void run_tile(const job *j, tpuc_float_line *line, int rows, int first, int end) {
    const tpuc_float_depthwise *v = j->conv;
    const ptrdiff_t window = (ptrdiff_t)v->rows * v->columns * TPUC_LANES;
    const ptrdiff_t in_row = numbers(v->stride_h * j->in->row), out_row = numbers(j->out->row);
    for (int block = first; block < end; block++) {
        const int left = v->channels - block * TPUC_LANES;
        const float *in = line->in;
        float *out = line->out;
        line->weights = v->weights + block * window;
        line->bias = v->bias + block * TPUC_LANES;
        line->channels = left < TPUC_LANES ? left : TPUC_LANES;
        for (int y = 0; y < rows; y++) {
            j->function(line);
            line->in += in_row, line->out += out_row;
        }
        line->in = in + TPUC_LANES, line->out = out + TPUC_LANES;
    }
}

/* Item: some rows of one picture, some blocks. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_float_depthwise *v = j->conv;
    const tpuc_image *in = j->in, *out = j->out;
    const int blocks = blocks_of(v), piece = (int)(item % j->pieces);
    const int first = blocks * piece / j->pieces, end = blocks * (piece + 1) / j->pieces;
    const int groups = (out->h + j->rows - 1) / j->rows;
    const int64_t group = item / j->pieces % groups, n = item / j->pieces / groups;
    const int y = (int)group * j->rows, rows = out->h - y < j->rows ? out->h - y : j->rows;
    const uint8_t *source = in->data + n * in->image + (y * v->stride_h - v->top) * in->row;
    uint8_t *target = out->data + n * out->image + y * out->row;
    tpuc_float_line line = {
        .row = numbers(v->dilation_h * in->row),
        .column = numbers(v->dilation_w * in->pixel),
        .advance = numbers(v->stride_w * in->pixel),
        .out_pixel = numbers(out->pixel),
        .rows = v->rows,
        .columns = v->columns,
        .end = v->end,
    };
    for (int i = 0; i < j->split; i++) {
        const int from = out->w * i / j->split;
        line.count = out->w * (i + 1) / j->split - from;
        line.in = (const float *)(source + (from * v->stride_w - v->left) * in->pixel);
        line.out = (float *)(target + from * out->pixel);
        line.in += first * TPUC_LANES, line.out += first * TPUC_LANES;
        run_tile(j, &line, rows, first, end);
    }
}

void tpuc_float_depthwise_run(const tpuc_float_depthwise *v, const tpuc_image *in,
                              const tpuc_image *out, int threads) {
    job j = {.conv = v, .in = in, .out = out, .function = choose(), .pieces = 1};
    j.split = (out->w + TPUC_FLOAT_OUTPUTS - 1) / TPUC_FLOAT_OUTPUTS;
    j.rows = out->h < 8 ? out->h : 4;
    const int64_t groups = (int64_t)out->n * ((out->h + j.rows - 1) / j.rows);
    if (groups < 8 * threads) j.pieces = blocks_of(v) < 4 ? blocks_of(v) : 4;
    tpuc_parallel(threads, groups * j.pieces, run_item, &j);
}
