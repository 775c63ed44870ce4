#include "depthwise.h"

#include "cpu.h"
#include "parallel.h"

/* Weights of output 0 of a step hold the plain window; the others are its shifted copies. */
static inline const int8_t *plain(const tpuc_line *t, int row, int vector) {
    return t->weights + ((ptrdiff_t)(row * t->vectors + vector) * t->step) * 64;
}

void tpuc_line_portable(const tpuc_line *t) {
    for (int x = 0; x < t->count; x++) {
        int32_t sum[TPUC_BLOCK] = {0};
        for (int row = 0; row < t->rows; row++) {
            for (int v = 0; v < t->vectors; v++) {
                const uint8_t *in = t->in + x * t->advance + t->row[row] + 4 * v * t->pixel;
                const int8_t *w = plain(t, row, v);
                for (int c = 0; c < t->lanes; c++)
                    for (int i = 0; i < 4; i++)
                        sum[c] += (int32_t)in[i * t->pixel + c] * w[4 * c + i];
            }
        }
        for (int c = 0; c < t->lanes; c++)
            t->out[x * t->out_pixel + c] = tpuc_requantize(t->requant, c, sum[c], t->low, t->rounding);
    }
}

static tpuc_line_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_line_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_line_avx2;
#endif
    return tpuc_line_portable;
}

typedef struct {
    const tpuc_depthwise *conv;
    const tpuc_image *in, *out;
    const ptrdiff_t *row;
    tpuc_line_function function;
    int rows; /* of outputs, per item */
} job;

/* Item: some rows of one picture, one block of channels, whose weights then stay in the first
 * cache. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_depthwise *v = j->conv;
    const int blocks = (v->channels + TPUC_BLOCK - 1) / TPUC_BLOCK, block = (int)(item % blocks);
    const int pieces = (j->out->h + j->rows - 1) / j->rows, piece = (int)(item / blocks % pieces);
    const int64_t n = item / blocks / pieces;
    const int left = v->channels - block * TPUC_BLOCK;
    const ptrdiff_t weights = (ptrdiff_t)v->rows * v->vectors * v->step * 64;
    const uint8_t *source = j->in->data + n * j->in->image - v->left * j->in->pixel -
                            v->top * j->in->row + block * TPUC_BLOCK;
    uint8_t *target = j->out->data + n * j->out->image + block * TPUC_BLOCK;
    tpuc_line line = {.row = j->row,
                      .pixel = v->dilation_w * j->in->pixel,
                      .advance = v->stride_w * j->in->pixel,
                      .out_pixel = j->out->pixel,
                      .rows = v->rows,
                      .vectors = v->vectors,
                      .step = v->step,
                      .count = j->out->w,
                      .lanes = left < TPUC_BLOCK ? left : TPUC_BLOCK,
                      .low = v->low,
                      .rounding = v->rounding,
                      .weights = v->weights + block * weights,
                      .requant = v->requant + block};
    for (int y = piece * j->rows; y < j->out->h && y < (piece + 1) * j->rows; y++) {
        line.in = source + (ptrdiff_t)y * v->stride_h * j->in->row;
        line.out = target + y * j->out->row;
        j->function(&line);
    }
}

void tpuc_depthwise_run(const tpuc_depthwise *v, const tpuc_image *in, const tpuc_image *out,
                        int threads) {
    ptrdiff_t row[TPUC_MAX_WINDOW_ROWS];
    for (int r = 0; r < v->rows; r++) row[r] = v->row_dy[r] * in->row;
    job j = {.conv = v, .in = in, .out = out, .row = row, .function = choose()};
    j.rows = 1 + 128 / out->w;
    if (j.rows > out->h) j.rows = out->h;
    const int blocks = (v->channels + TPUC_BLOCK - 1) / TPUC_BLOCK;
    const int64_t pieces = (out->h + j.rows - 1) / j.rows;
    tpuc_parallel(threads, out->n * pieces * blocks, run_item, &j);
}
