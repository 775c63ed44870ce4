#define LOOPS tpuc_deconv_loops_portable
#include "deconv_body.h"

#include <string.h>

#include "cpu.h"
#include "parallel.h"

static const tpuc_deconv_loops *choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return &tpuc_deconv_loops_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return &tpuc_deconv_loops_avx2;
#endif
    return &tpuc_deconv_loops_portable;
}

typedef struct {
    const tpuc_deconv *deconv;
    const tpuc_requant_axis *op;
    const tpuc_image *in, *out;
    const tpuc_deconv_loops *loops;
} job;

/* Which of `size` inputs meets the output at `at` through a tap; -1: none. */
static int meeting(int at, int stride, int size) {
    if (at < 0 || at % stride || at / stride >= size) return -1;
    return at / stride;
}

/* One tap of one pixel. */
static void add_tap(const job *j, const uint8_t *x, int64_t tap, int32_t *sum) {
    const tpuc_deconv *d = j->deconv;
    const int zero = j->in->zero, taps = d->kernel_h * d->kernel_w;
    if (d->in_per_group == 1 && d->out_per_group == 1) { /* packed as one group per tap */
        j->loops->apart(x, zero, d->weights + tap * d->groups, d->groups, sum);
        return;
    }
    const int64_t size = (int64_t)d->in_per_group * d->out_per_group;
    for (int g = 0; g < d->groups; g++)
        j->loops->dense(x + g * d->in_per_group, zero, d->in_per_group,
                        d->weights + (g * taps + tap) * size, d->out_per_group,
                        sum + g * d->out_per_group);
}

/* Item: one row of one picture. */
static void deconv_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_deconv *d = j->deconv;
    const tpuc_image *in = j->in, *out = j->out;
    const int n = (int)(item / out->h), oy = (int)(item % out->h);
    uint8_t *to = out->data + n * out->image + oy * out->row;
    for (int ox = 0; ox < out->w; ox++, to += out->pixel) {
        int32_t *sum = (int32_t *)to;
        memcpy(sum, d->bias, sizeof(int32_t) * (size_t)out->c);
        for (int i = 0; i < d->kernel_h; i++) {
            const int iy = meeting(oy + d->top - i * d->dilation_h, d->stride_h, in->h);
            if (iy < 0) continue;
            const uint8_t *row = in->data + n * in->image + iy * in->row;
            for (int k = 0; k < d->kernel_w; k++) {
                const int ix = meeting(ox + d->left - k * d->dilation_w, d->stride_w, in->w);
                if (ix >= 0) add_tap(j, row + ix * in->pixel, i * d->kernel_w + k, sum);
            }
        }
    }
}

void tpuc_deconv_run(const tpuc_deconv *d, const tpuc_image *in, const tpuc_image *out,
                     int threads) {
    const job j = {.deconv = d, .in = in, .out = out, .loops = choose()};
    tpuc_parallel(threads, (int64_t)out->n * out->h, deconv_item, &j);
}

static void requant_item(const void *context, int64_t item) {
    const job *j = context;
    const ptrdiff_t n = item / j->out->h, y = item % j->out->h;
    const uint8_t *from = j->in->data + n * j->in->image + y * j->in->row;
    uint8_t *to = j->out->data + n * j->out->image + y * j->out->row;
    for (int x = 0; x < j->out->w; x++, from += j->in->pixel, to += j->out->pixel)
        j->loops->requant(j->op, (const int32_t *)from, to, j->out->c);
}

void tpuc_requant_axis_run(const tpuc_requant_axis *op, const tpuc_image *in,
                           const tpuc_image *out, int threads) {
    const job j = {.op = op, .in = in, .out = out, .loops = choose()};
    tpuc_parallel(threads, (int64_t)out->n * out->h, requant_item, &j);
}
