#define PAIR tpuc_pair_portable
#include "eltwise_body.h"

#include "cpu.h"

static tpuc_pair_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_pair_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_pair_avx2;
#endif
    return tpuc_pair_portable;
}

void tpuc_eltwise_run(const tpuc_eltwise *op, const tpuc_image *a, const tpuc_image *b,
                      const tpuc_image *out, int threads) {
    const tpuc_pair_function function = choose();
    const int small = b->h == 1 && b->w == 1 && out->h * out->w > 1;
#pragma omp parallel for num_threads(threads) schedule(static) if (out->n * out->h > 1)
    for (int i = 0; i < out->n * out->h; i++) {
        const int n = i / out->h, y = i % out->h;
        const tpuc_pair pair = {
            .a = a->data + n * a->image + y * a->row,
            .b = b->data + (b->n == 1 ? 0 : n) * b->image + (small ? 0 : y) * b->row,
            .out = out->data + n * out->image + y * out->row,
            .a_pixel = a->pixel,
            .b_pixel = small ? 0 : b->pixel,
            .out_pixel = out->pixel,
            .count = out->w,
            .channels = out->c,
            .a_zero = a->zero,
            .b_zero = b->zero,
            .zero = out->zero,
        };
        function(op, &pair);
    }
}

void tpuc_table_portable(const uint8_t *table, const uint8_t *in, uint8_t *out, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) out[i] = table[in[i]];
}

void tpuc_table_run(const uint8_t *table, const tpuc_image *in, const tpuc_image *out, int threads) {
    tpuc_table_function function = tpuc_table_portable;
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) function = tpuc_table_vnni;
#endif
    const int together = in->pixel == out->pixel;
#pragma omp parallel for num_threads(threads) schedule(static) if (out->n * out->h > 1)
    for (int i = 0; i < out->n * out->h; i++) {
        const uint8_t *from = in->data + i / out->h * in->image + i % out->h * in->row;
        uint8_t *to = out->data + i / out->h * out->image + i % out->h * out->row;
        if (together) {
            function(table, from, to, (ptrdiff_t)(out->w - 1) * out->pixel + out->c);
        } else {
            for (int x = 0; x < out->w; x++)
                function(table, from + x * in->pixel, to + x * out->pixel, out->c);
        }
    }
}

void tpuc_copy_channels(const tpuc_image *in, const tpuc_image *out, int first, int low, int threads) {
    const int shift = out->zero - in->zero, channels = in->c;
#pragma omp parallel for num_threads(threads) schedule(static) if (out->n * out->h > 1)
    for (int i = 0; i < out->n * out->h; i++) {
        const uint8_t *from = in->data + i / out->h * in->image + i % out->h * in->row;
        uint8_t *to = out->data + i / out->h * out->image + i % out->h * out->row + first;
        for (int x = 0; x < out->w; x++, from += in->pixel, to += out->pixel)
            for (int c = 0; c < channels; c++) to[c] = clamped(from[c] + shift, low);
    }
}
