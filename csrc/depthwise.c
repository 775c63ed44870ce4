#include "depthwise.h"

#include "cpu.h"

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

void tpuc_depthwise_run(const tpuc_depthwise *v, const tpuc_image *in, const tpuc_image *out,
                        int threads) {
    ptrdiff_t row[TPUC_MAX_WINDOW_ROWS];
    for (int r = 0; r < v->rows; r++) row[r] = v->row_dy[r] * in->row;
    const int blocks = (v->channels + TPUC_BLOCK - 1) / TPUC_BLOCK;
    const tpuc_line_function function = choose();
    const ptrdiff_t weights = (ptrdiff_t)v->rows * v->vectors * v->step * 64;
    const int items = out->n * out->h;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int i = 0; i < items; i++) {
        const int n = i / out->h, y = i % out->h;
        const uint8_t *source = in->data + n * in->image +
                                ((ptrdiff_t)y * v->stride_h - v->top) * in->row - v->left * in->pixel;
        uint8_t *target = out->data + n * out->image + y * out->row;
        for (int b = 0; b < blocks; b++) {
            const int left = v->channels - b * TPUC_BLOCK;
            const tpuc_line line = {
                .in = source + b * TPUC_BLOCK,
                .out = target + b * TPUC_BLOCK,
                .row = row,
                .pixel = v->dilation_w * in->pixel,
                .advance = v->stride_w * in->pixel,
                .out_pixel = out->pixel,
                .rows = v->rows,
                .vectors = v->vectors,
                .step = v->step,
                .count = out->w,
                .lanes = left < TPUC_BLOCK ? left : TPUC_BLOCK,
                .low = v->low,
                .weights = v->weights + b * weights,
                .requant = v->requant + b,
            };
            function(&line);
        }
    }
}
