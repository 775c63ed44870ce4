#define EIGHT tpuc_float_eight_portable
#include "eight_body.h"

#include "../cpu.h"
#include "../parallel.h"

static tpuc_float_eight_loop choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_float_eight_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_float_eight_avx2;
#endif
    return tpuc_float_eight_portable;
}

typedef struct {
    const tpuc_float_eight *eight;
    const tpuc_image *image;
    tpuc_float_eight_loop loop;
    int pieces; /* of a row */
} job;

/* Item: some pixels of one row of one picture. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *m = j->image;
    const int64_t row = item / j->pieces, piece = item % j->pieces;
    const int64_t n = row / m->h, y = row % m->h, x = m->w * piece / j->pieces;
    uint8_t *at = m->data + n * m->image + y * m->row + x * m->pixel;
    j->loop(j->eight, (float *)at, m->w * (piece + 1) / j->pieces - x, m->c);
}

void tpuc_float_eight_run(const tpuc_float_eight *eight, const tpuc_image *image, int threads) {
    const int64_t most = (int64_t)image->c * image->w / 4096;
    const int pieces = most < 1 ? 1 : most < image->w ? (int)most : image->w;
    const job j = {eight, image, choose(), pieces};
    tpuc_parallel(threads, (int64_t)image->n * image->h * pieces, run_item, &j);
}
