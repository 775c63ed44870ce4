#include "conv.h"

#include "cpu.h"
#include "parallel.h"

int tpuc_tile_rows(int width) {
    static const int rows[] = {0, 14, 12, 8, 6};
    return rows[width];
}

void tpuc_tile_portable(const tpuc_tile *t) {
    for (int r = 0; r < t->rows; r++) {
        for (int n = 0; n < t->width; n++) {
            int32_t sum[TPUC_BLOCK] = {0};
            for (int tap = 0; tap < t->taps; tap++) {
                const uint8_t *x = t->in[r] + t->tap[tap];
                for (int k = 0; k < t->k4; k++) {
                    const int8_t *w =
                        t->weights + (((ptrdiff_t)tap * t->k4 + k) * t->width + n) * 64;
                    for (int o = 0; o < TPUC_BLOCK; o++)
                        for (int j = 0; j < 4; j++) sum[o] += (int32_t)x[4 * k + j] * w[4 * o + j];
                }
            }
            const int lanes = n == t->width - 1 ? t->lanes : TPUC_BLOCK;
            for (int o = 0; o < lanes; o++)
                t->out[r][n * TPUC_BLOCK + o] =
                    tpuc_requantize(t->requant + n, o, sum[o], t->low, t->rounding);
        }
    }
}

static tpuc_tile_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_tile_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_tile_avx2;
#endif
    return tpuc_tile_portable;
}

/* Corner of the window of the first output of a row. */
static inline const uint8_t *row_in(const tpuc_conv *v, const tpuc_image *in, const uint8_t *source,
                                    int n, int y) {
    return source + n * in->image + (ptrdiff_t)y * v->stride_h * in->row;
}

/* The pixels [from, to) of one strip. */
static void run_strip(const tpuc_conv *v, const tpuc_image *in, const tpuc_image *out, int group,
                      const tpuc_strip *strip, const ptrdiff_t *tap, int64_t from, int64_t to,
                      tpuc_tile_function function) {
    const int blocks = (v->out_per_group + TPUC_BLOCK - 1) / TPUC_BLOCK;
    const int last = strip->first + strip->width == blocks;
    tpuc_tile tile = {.tap = tap, .taps = v->taps, .k4 = v->k4, .width = strip->width};
    tile.lanes = last ? v->out_per_group - (blocks - 1) * TPUC_BLOCK : TPUC_BLOCK;
    tile.low = v->low, tile.rounding = v->rounding;
    tile.weights = v->weights + group * v->group_weights + strip->offset;
    tile.requant = v->requant + (ptrdiff_t)group * blocks + strip->first;
    const uint8_t *source =
        in->data - v->top * in->row - v->left * in->pixel + group * v->in_per_group;
    uint8_t *target = out->data + group * v->out_per_group + strip->first * TPUC_BLOCK;
    const int64_t plane = (int64_t)out->h * out->w;
    const ptrdiff_t in_step = v->stride_w * in->pixel, out_step = out->pixel;
    int n = (int)(from / plane), y = (int)(from % plane / out->w), x = (int)(from % out->w);
    const uint8_t *input = row_in(v, in, source, n, y) + x * in_step;
    uint8_t *output = target + n * out->image + y * out->row + x * out_step;
    const int most = tpuc_tile_rows(strip->width);
    for (int64_t p = from, left; (left = to - p) > 0; p += tile.rows) {
        const int64_t tiles = (left + most - 1) / most;
        tile.rows = (int)((left + tiles - 1) / tiles);
        for (int r = 0; r < tile.rows; r++) {
            tile.in[r] = input, tile.out[r] = output;
            input += in_step, output += out_step;
            if (++x < out->w) continue;
            x = 0;
            if (++y == out->h) y = 0, n++;
            input = row_in(v, in, source, n, y);
            output = target + n * out->image + y * out->row;
        }
        function(&tile);
    }
}

typedef struct {
    const tpuc_conv *conv;
    const tpuc_image *in, *out;
    const ptrdiff_t *tap;
    int64_t pixels, piece;
    tpuc_tile_function function;
} job;

/* Item: one strip of one group over one piece of the pixels; strips of a piece follow one another.
 */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const int strips = j->conv->strips, rest = (int)(item % (j->conv->groups * strips));
    const int64_t from = item / (j->conv->groups * strips) * j->piece, to = from + j->piece;
    run_strip(j->conv, j->in, j->out, rest / strips, j->conv->strip + rest % strips, j->tap, from,
              to < j->pixels ? to : j->pixels, j->function);
}

void tpuc_conv_run(const tpuc_conv *v, const tpuc_image *in, const tpuc_image *out, int threads) {
    ptrdiff_t tap[TPUC_MAX_TAPS];
    for (int t = 0; t < v->taps; t++) tap[t] = v->tap_dy[t] * in->row + v->tap_dx[t] * in->pixel;
    job j = {.conv = v, .in = in, .out = out, .tap = tap, .function = choose()};
    j.pixels = (int64_t)out->n * out->h * out->w;
    /* Pixels per piece: their input fits the first cache. */
    j.piece = 24 * (1 + 16384 / (24 * (int64_t)v->k4 * 4 * v->taps));
    if (j.piece > j.pixels) j.piece = j.pixels;
    const int64_t pieces = (j.pixels + j.piece - 1) / j.piece;
    tpuc_parallel(threads, pieces * v->groups * v->strips, run_item, &j);
}
