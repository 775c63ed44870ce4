#define TILE tpuc_float_tile_portable
#include "conv_body.h"

#include "../cpu.h"
#include "../parallel.h"
#include "sparse.h"

tpuc_float_path tpuc_float_path_in_use(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI)
        return (tpuc_float_path){tpuc_float_tile_vnni, {0, 14, 12, 8, 6}};
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2)
        return (tpuc_float_path){tpuc_float_tile_avx2, {0, 6, 6, 6, 6}};
#endif
    return (tpuc_float_path){tpuc_float_tile_portable, {0, 6, 6, 6, 6}};
}

typedef struct {
    const tpuc_float_conv *conv;
    const tpuc_image *in, *out;
    const ptrdiff_t *tap;
    int64_t pixels, piece, pieces;
    int heavy; /* the weights exceed the second cache */
    tpuc_float_path path;
} job;

/* Walks output pixels in order. */
typedef struct {
    const job *job;
    ptrdiff_t in_offset, out_offset; /* of the group and strip, in bytes */
    int n, y, x;
    const uint8_t *input;
    uint8_t *output;
} walk;

static void start_row(walk *w) {
    const job *j = w->job;
    w->input = j->in->data + w->in_offset + w->n * j->in->image +
               (ptrdiff_t)w->y * j->conv->stride_h * j->in->row;
    w->output = j->out->data + w->out_offset + w->n * j->out->image + w->y * j->out->row;
}

static void start(walk *w, int64_t pixel) {
    const tpuc_image *out = w->job->out;
    const int64_t plane = (int64_t)out->h * out->w;
    w->n = (int)(pixel / plane), w->y = (int)(pixel % plane / out->w), w->x = (int)(pixel % out->w);
    start_row(w);
    w->input += w->x * w->job->conv->stride_w * w->job->in->pixel;
    w->output += w->x * out->pixel;
}

static inline void advance(walk *w) {
    const tpuc_image *out = w->job->out;
    w->input += w->job->conv->stride_w * w->job->in->pixel;
    w->output += out->pixel;
    if (++w->x < out->w) return;
    w->x = 0;
    if (++w->y == out->h) w->y = 0, w->n++;
    start_row(w);
}

/* The pixels [from, to) of one strip. */
static void run_strip(const job *j, int group, int strip, int64_t from, int64_t to) {
    const tpuc_float_conv *v = j->conv;
    const int blocks = (v->out_per_group + TPUC_LANES - 1) / TPUC_LANES;
    const int first = v->strip[strip], width = v->strip[strip + 1] - first;
    const ptrdiff_t block = (ptrdiff_t)v->terms * TPUC_LANES;
    tpuc_float_tile tile = {.tap = j->tap, .taps = v->taps, .chunks = v->chunks, .width = width};
    tile.lanes = v->lanes, tile.chunk_end = v->chunk_end;
    tile.step = 1, tile.advance = (ptrdiff_t)width * TPUC_LANES;
    tile.last = first + width == blocks ? v->out_per_group - (blocks - 1) * TPUC_LANES : TPUC_LANES;
    tile.weights = v->weights + ((ptrdiff_t)group * blocks + first) * block;
    tile.bias = v->bias + ((ptrdiff_t)group * blocks + first) * TPUC_LANES;
    tile.end = v->end;
    walk w = {.job = j};
    w.in_offset = (ptrdiff_t)sizeof(float) * group * v->in_per_group - v->top * j->in->row -
                  v->left * j->in->pixel;
    w.out_offset =
        (ptrdiff_t)sizeof(float) * ((ptrdiff_t)group * v->out_per_group + first * TPUC_LANES);
    start(&w, from);
    const int most = j->path.rows[width];
    for (int64_t p = from, left; (left = to - p) > 0; p += tile.rows) {
        const int64_t tiles = (left + most - 1) / most;
        tile.rows = (int)((left + tiles - 1) / tiles);
        for (int r = 0; r < tile.rows; r++, advance(&w)) {
            tile.in[r] = (const float *)w.input;
            tile.out[r] = (float *)w.output;
        }
        j->path.function(&tile);
    }
}

/* Item: one strip of one group over one piece of the pixels. Strips of a piece follow one another,
 * so that its input stays near; or pieces of a strip, where the weights are too many. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const int strips = j->conv->strips, all = j->conv->groups * strips;
    const int strip = (int)(j->heavy ? item / j->pieces : item % all);
    const int64_t from = (j->heavy ? item % j->pieces : item / all) * j->piece;
    const int64_t to = from + j->piece;
    run_strip(j, strip / strips, strip % strips, from, to < j->pixels ? to : j->pixels);
}

void tpuc_float_conv_run(const tpuc_float_conv *v, const tpuc_image *in, const tpuc_image *out,
                         int threads) {
    if (tpuc_float_sparse_pays(v, in, out)) {
        tpuc_float_sparse_run(v, in, out, threads);
        return;
    }
    ptrdiff_t tap[TPUC_FLOAT_MAX_TAPS];
    for (int t = 0; t < v->taps; t++)
        tap[t] = (v->tap_dy[t] * in->row + v->tap_dx[t] * in->pixel) / (ptrdiff_t)sizeof(float);
    job j = {.conv = v, .in = in, .out = out, .tap = tap, .path = tpuc_float_path_in_use()};
    j.pixels = (int64_t)out->n * out->h * out->w;
    /* Pixels per piece: their input fits the first cache. */
    j.piece = 24 * (1 + 8192 / (24 * (int64_t)v->terms));
    if (j.piece > j.pixels) j.piece = j.pixels;
    j.pieces = (j.pixels + j.piece - 1) / j.piece;
    j.heavy = (int64_t)v->terms * v->out_per_group * v->groups > 1 << 18;
    tpuc_parallel(threads, j.pieces * v->groups * v->strips, run_item, &j);
}
