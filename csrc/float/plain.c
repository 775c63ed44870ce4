/* Between contiguous NCHW and images: tiles of 16 pixels x 16 channels. */
#include "../parallel.h"
#include "lanes.h"
#include "rows.h"

typedef struct {
    tpuc_image image;
    float *plain;
    const int64_t *places; /* of planes, or null: one after another */
    const tpuc_float_end *end;
    int pieces;
} job;

enum { TILE = 16, PIECE = 128 };

/* Pictures without a halo are one long row. */
static job flat(const tpuc_image *m, float *plain, const tpuc_float_end *end) {
    job j = {.image = *m, .plain = plain, .places = NULL, .end = end};
    if (m->row == m->w * m->pixel) j.image.w = m->w * m->h, j.image.h = 1;
    j.pieces = (j.image.w + PIECE - 1) / PIECE;
    return j;
}

typedef struct {
    float *plain, *pixels;
    const int64_t *places;
    ptrdiff_t plane, pixel; /* in numbers */
    int count;
} piece;

/* Item: up to PIECE pixels of one row. */
static piece piece_of(const job *j, int64_t item) {
    const tpuc_image *m = &j->image;
    const int x = (int)(item % j->pieces) * PIECE;
    const int64_t y = item / j->pieces % m->h, n = item / j->pieces / m->h;
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
    const ptrdiff_t first = j->places ? 0 : n * m->c * plane;
    return (piece){.plain = j->plain + first + y * m->w + x,
                   .places = j->places ? j->places + n * m->c : NULL,
                   .pixels = (float *)(m->data + n * m->image + y * m->row + x * m->pixel),
                   .plane = plane,
                   .pixel = m->pixel / (ptrdiff_t)sizeof(float),
                   .count = m->w - x < PIECE ? m->w - x : PIECE};
}

static inline int least(int a, int b) { return a < b ? a : b; }

static void load_item(const void *context, int64_t item) {
    const job *j = context;
    const piece p = piece_of(j, item);
    for (int c0 = 0; c0 < j->image.c; c0 += TILE) {
        const int channels = least(TILE, j->image.c - c0);
        for (int x = 0; x < p.count; x += TILE) {
            const int n = least(TILE, p.count - x);
            float tile[TILE][TILE];
            for (int c = 0; c < channels; c++) {
                const int64_t plane = p.places ? p.places[c0 + c] : c0 + c;
                const lanes v = lanes_load_some(p.plain + plane * p.plane + x, n);
                lanes_store(tile[c], lanes_finish(v, j->end));
            }
            float *to = p.pixels + x * p.pixel + c0;
            for (int i = 0; i < n; i++, to += p.pixel)
                for (int c = 0; c < channels; c++) to[c] = tile[c][i];
        }
    }
}

void tpuc_float_load(const tpuc_image *m, const float *plain, const tpuc_float_end *end,
                     int threads) {
    const job j = flat(m, (float *)plain, end);
    tpuc_parallel(threads, (int64_t)m->n * j.image.h * j.pieces, load_item, &j);
}

void tpuc_float_gather(const tpuc_image *m, const float *table, const int64_t *places,
                       const tpuc_float_end *end, int threads) {
    job j = flat(m, (float *)table, end);
    j.places = places;
    tpuc_parallel(threads, (int64_t)m->n * j.image.h * j.pieces, load_item, &j);
}

static void store_item(const void *context, int64_t item) {
    const job *j = context;
    const piece p = piece_of(j, item);
    for (int c0 = 0; c0 < j->image.c; c0 += TILE) {
        const int c1 = least(c0 + TILE, j->image.c);
        for (int x = 0; x < p.count; x += TILE) {
            const int end = least(x + TILE, p.count);
            for (int c = c0; c < c1; c++)
                for (int i = x; i < end; i++) p.plain[c * p.plane + i] = p.pixels[i * p.pixel + c];
        }
    }
}

void tpuc_float_store(const tpuc_image *m, float *plain, int threads) {
    const job j = flat(m, plain, NULL);
    tpuc_parallel(threads, (int64_t)m->n * j.image.h * j.pieces, store_item, &j);
}
