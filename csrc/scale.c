#define SCALE tpuc_scale_portable
#include "scale_body.h"

#include "cpu.h"
#include "parallel.h"

static tpuc_scale_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_scale_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_scale_avx2;
#endif
    return tpuc_scale_portable;
}

typedef struct {
    const tpuc_scale *scale;
    const tpuc_image *in, *out;
    tpuc_scale_function function;
} job;

/* Item: one row of one picture. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const tpuc_scale_pixel pixel = {in->zero, out->zero, out->c};
    const ptrdiff_t n = item / out->h, y = item % out->h;
    const uint8_t *from = in->data + n * in->image + y * in->row;
    uint8_t *to = out->data + n * out->image + y * out->row;
    for (int x = 0; x < out->w; x++)
        j->function(j->scale, &pixel, from + x * in->pixel, to + x * out->pixel);
}

void tpuc_scale_run(const tpuc_scale *scale, const tpuc_image *in, const tpuc_image *out,
                    int threads) {
    const job j = {scale, in, out, choose()};
    tpuc_parallel(threads, (int64_t)out->n * out->h, run_item, &j);
}
