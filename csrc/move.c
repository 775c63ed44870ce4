#include "move.h"

#include <string.h>

#include "parallel.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { TILE = 16 };

/* Two dimensions: y, and x inside it. */
typedef struct {
    const uint8_t *in;
    uint8_t *out;
    int64_t ny, nx;
    ptrdiff_t in_y, in_x, out_y, out_x;
} plane;

/* Up to 15 bytes, as two that overlap. */
static inline void copy_few(uint8_t *to, const uint8_t *from, int64_t count) {
    if (count >= 8) {
        memcpy(to, from, 8);
        memcpy(to + count - 8, from + count - 8, 8);
    } else if (count >= 4) {
        memcpy(to, from, 4);
        memcpy(to + count - 4, from + count - 4, 4);
    } else {
        for (int64_t i = 0; i < count; i++) to[i] = from[i];
    }
}

/* Up to 16 x 16: columns of the input become rows of the output. */
static void turn_tile(const uint8_t *in, ptrdiff_t in_x, uint8_t *out, ptrdiff_t out_y, int64_t ny,
                      int64_t nx) {
#if defined(__SSE2__)
    __m128i a[TILE], b[TILE];
    for (int i = 0; i < TILE; i++) {
        if (i >= nx) {
            a[i] = _mm_setzero_si128();
        } else if (ny < TILE) {
            uint8_t line[TILE] = {0};
            copy_few(line, in + i * in_x, ny);
            a[i] = _mm_loadu_si128((const __m128i *)line);
        } else {
            a[i] = _mm_loadu_si128((const __m128i *)(in + i * in_x));
        }
    }
    for (int round = 0; round < 4; round++) { /* interleave rows i and i + 8 */
        for (int i = 0; i < TILE / 2; i++) {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + 8]);
        }
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < ny; i++) {
        if (nx < TILE) {
            uint8_t line[TILE];
            _mm_storeu_si128((__m128i *)line, a[i]);
            copy_few(out + i * out_y, line, nx);
        } else {
            _mm_storeu_si128((__m128i *)(out + i * out_y), a[i]);
        }
    }
#else
    for (int64_t y = 0; y < ny; y++)
        for (int64_t x = 0; x < nx; x++) out[y * out_y + x] = in[x * in_x + y];
#endif
}

static void walk_bytes(const plane *p) {
    for (int64_t y = 0; y < p->ny; y++) {
        const uint8_t *in = p->in + y * p->in_y;
        uint8_t *out = p->out + y * p->out_y;
        for (int64_t x = 0; x < p->nx; x++) out[x * p->out_x] = in[x * p->in_x];
    }
}

static void turn_bytes(const plane *p) {
    for (int64_t y = 0; y < p->ny; y += TILE)
        for (int64_t x = 0; x < p->nx; x += TILE)
            turn_tile(p->in + y + x * p->in_x, p->in_x, p->out + y * p->out_y + x, p->out_y,
                      p->ny - y < TILE ? p->ny - y : TILE, p->nx - x < TILE ? p->nx - x : TILE);
}

static void copy_rows(const plane *p) {
    for (int64_t y = 0; y < p->ny; y++) {
        const uint8_t *in = p->in + y * p->in_y;
        uint8_t *out = p->out + y * p->out_y;
        if (p->nx < TILE) copy_few(out, in, p->nx);
        else memcpy(out, in, (size_t)p->nx);
    }
}

static void move_bytes(const plane *p) {
    if (p->in_x == 1 && p->out_x == 1) copy_rows(p);
    else if (p->in_x == 0 && p->out_x == 1)
        for (int64_t y = 0; y < p->ny; y++)
            memset(p->out + y * p->out_y, p->in[y * p->in_y], (size_t)p->nx);
    else if (p->in_y == 1 && p->out_x == 1 && p->nx > 1 && p->ny > 1) turn_bytes(p);
    else walk_bytes(p);
}

/* Blocks, so that whatever is read or written apart is used again while it is near. */
static void move_words(const plane *p) {
    if (p->in_x == 4 && p->out_x == 4) {
        for (int64_t y = 0; y < p->ny; y++)
            memcpy(p->out + y * p->out_y, p->in + y * p->in_y, 4 * (size_t)p->nx);
        return;
    }
    for (int64_t y0 = 0; y0 < p->ny; y0 += TILE) {
        const int64_t y1 = y0 + TILE < p->ny ? y0 + TILE : p->ny;
        for (int64_t x = 0; x < p->nx; x++) {
            const uint8_t *in = p->in + x * p->in_x;
            uint8_t *out = p->out + x * p->out_x;
            for (int64_t y = y0; y < y1; y++) memcpy(out + y * p->out_y, in + y * p->in_y, 4);
        }
    }
}

void tpuc_move_bytes(const uint8_t *in, tpuc_steps i, uint8_t *out, tpuc_steps o, int64_t rows,
                     int64_t columns) {
    const plane p = {in, out, rows, columns, i.row, i.column, o.row, o.column};
    const plane turned = {in, out, columns, rows, i.column, i.row, o.column, o.row};
    move_bytes(o.row == 1 && o.column != 1 ? &turned : &p);
}

typedef struct {
    const tpuc_move *move;
    int64_t pieces, rows; /* pieces of y, and rows of each */
} job;

/* Item: a piece of one plane. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_move *m = j->move;
    const int y = m->dims - 2, x = m->dims - 1;
    const int64_t first = item % j->pieces * j->rows, left = m->count[y] - first;
    plane p = {m->in + first * m->in_step[y], m->out + first * m->out_step[y],
               left < j->rows ? left : j->rows, m->count[x],
               m->in_step[y], m->in_step[x], m->out_step[y], m->out_step[x]};
    int64_t rest = item / j->pieces;
    for (int d = y - 1; d >= 0; d--) {
        const int64_t i = rest % m->count[d];
        rest /= m->count[d];
        p.in += i * m->in_step[d], p.out += i * m->out_step[d];
    }
    if (m->element == 1) move_bytes(&p);
    else move_words(&p);
}

enum { PIECE = 8192 }; /* bytes worth a thread's while */

void tpuc_move_run(const tpuc_move *m, int threads) {
    const int64_t ny = m->count[m->dims - 2], bytes = m->count[m->dims - 1] * m->element;
    int64_t planes = 1;
    for (int d = 0; d < m->dims - 2; d++) planes *= m->count[d];
    job j = {.move = m, .rows = (PIECE + bytes - 1) / bytes};
    j.rows = (j.rows + TILE - 1) / TILE * TILE;
    if (j.rows > ny) j.rows = ny;
    j.pieces = (ny + j.rows - 1) / j.rows;
    if (planes * ny * bytes < 2 * PIECE) threads = 1;
    tpuc_parallel(threads, planes * j.pieces, run_item, &j);
}
