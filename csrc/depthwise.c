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
            t->out[x * t->out_pixel + c] = tpuc_requantize(t->requant, c, sum[c], t->low, 0);
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
} job;

/* Item: one row of one picture, all channels. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_depthwise *v = j->conv;
    const int n = (int)(item / j->out->h), y = (int)(item % j->out->h);
    const uint8_t *source = j->in->data + n * j->in->image - v->left * j->in->pixel +
                            ((ptrdiff_t)y * v->stride_h - v->top) * j->in->row;
    uint8_t *target = j->out->data + n * j->out->image + y * j->out->row;
    const int blocks = (v->channels + TPUC_BLOCK - 1) / TPUC_BLOCK;
    const ptrdiff_t weights = (ptrdiff_t)v->rows * v->vectors * v->step * 64;
    tpuc_line line = {.row = j->row,
                      .pixel = v->dilation_w * j->in->pixel,
                      .advance = v->stride_w * j->in->pixel,
                      .out_pixel = j->out->pixel,
                      .rows = v->rows,
                      .vectors = v->vectors,
                      .step = v->step,
                      .count = j->out->w,
                      .low = v->low};
    for (int b = 0; b < blocks; b++) {
        const int left = v->channels - b * TPUC_BLOCK;
        line.in = source + b * TPUC_BLOCK;
        line.out = target + b * TPUC_BLOCK;
        line.lanes = left < TPUC_BLOCK ? left : TPUC_BLOCK;
        line.weights = v->weights + b * weights;
        line.requant = v->requant + b;
        j->function(&line);
    }
}

void tpuc_depthwise_run(const tpuc_depthwise *v, const tpuc_image *in, const tpuc_image *out,
                        int threads) {
    ptrdiff_t row[TPUC_MAX_WINDOW_ROWS];
    for (int r = 0; r < v->rows; r++) row[r] = v->row_dy[r] * in->row;
    const job j = {.conv = v, .in = in, .out = out, .row = row, .function = choose()};
    tpuc_parallel(threads, (int64_t)out->n * out->h, run_item, &j);
}
