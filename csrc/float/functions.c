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
    int pieces; /* of a row */
} job;

/* Item: some pixels of one row of one picture. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *in = j->in, *out = j->out;
    const int64_t row = item / j->pieces, piece = item % j->pieces;
    const int64_t n = row / out->h, y = row % out->h, x = out->w * piece / j->pieces;
    const int64_t count = out->w * (piece + 1) / j->pieces - x;
    const uint8_t *from = in->data + n * in->image + y * in->row + x * in->pixel;
    uint8_t *to = out->data + n * out->image + y * out->row + x * out->pixel;
    j->loop(j->function, (const float *)from, (float *)to, (ptrdiff_t)(out->c * count));
}

void tpuc_float_function_run(const tpuc_float_function *function, const tpuc_image *in,
                             const tpuc_image *out, int threads) {
    const int64_t most = (int64_t)out->c * out->w / 2048;
    const int pieces = most < 1 ? 1 : most < out->w ? (int)most : out->w;
    const job j = {function, in, out, choose(), pieces};
    tpuc_parallel(threads, (int64_t)out->n * out->h * pieces, run_item, &j);
}
