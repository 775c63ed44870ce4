#define FUNCTION tpuc_float_function_portable
#include "functions_body.h"

#include "../cpu.h"
#include "../parallel.h"

static tpuc_float_function_loop choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_float_function_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_float_function_avx2;
#endif
    return tpuc_float_function_portable;
}

typedef struct {
    const tpuc_float_function *function;
    const tpuc_image *in, *out;
    tpuc_float_function_loop loop;
} job;

/* Item: one row of one picture. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const int64_t n = item / out->h, y = item % out->h;
    j->loop(j->function, (const float *)(in->data + n * in->image + y * in->row),
            (float *)(out->data + n * out->image + y * out->row), (ptrdiff_t)out->c * out->w);
}

void tpuc_float_function_run(const tpuc_float_function *function, const tpuc_image *in,
                             const tpuc_image *out, int threads) {
    const job j = {function, in, out, choose()};
    tpuc_parallel(threads, (int64_t)out->n * out->h, run_item, &j);
}
