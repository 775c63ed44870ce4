#define WINDOW tpuc_window_portable
#include "pool_body.h"

#include "cpu.h"
#include "parallel.h"

static tpuc_window_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_window_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_window_avx2;
#endif
    return tpuc_window_portable;
}

static inline int clip(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

typedef struct {
    const tpuc_pool *pool;
    const tpuc_image *in, *out;
    tpuc_window_function function;
} job;

/* Item: one row of one picture. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_pool *p = j->pool;
    const tpuc_image *in = j->in, *out = j->out;
    const int n = (int)(item / out->h), y = (int)(item % out->h);
    const int y0 = y * p->stride_h - p->top, y1 = clip(y0 + p->kernel_h, 0, in->h);
    for (int x = 0; x < out->w; x++) {
        const int x0 = x * p->stride_w - p->left, x1 = clip(x0 + p->kernel_w, 0, in->w);
        const int first_y = clip(y0, 0, in->h), first_x = clip(x0, 0, in->w);
        const tpuc_window window = {
            .in = in->data + n * in->image + first_y * in->row + first_x * in->pixel,
            .out = out->data + n * out->image + y * out->row + x * out->pixel,
            .row = in->row,
            .pixel = in->pixel,
            .rows = y1 - first_y,
            .columns = x1 - first_x,
            .channels = out->c,
            .in_zero = in->zero,
            .zero = out->zero,
            .in_bias = in->bias,
            .bias = out->bias,
        };
        j->function(p, &window);
    }
}

void tpuc_pool_run(const tpuc_pool *p, const tpuc_image *in, const tpuc_image *out, int threads) {
    const job j = {p, in, out, choose()};
    tpuc_parallel(threads, (int64_t)out->n * out->h, run_item, &j);
}
