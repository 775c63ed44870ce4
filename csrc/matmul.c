#include "matmul.h"

#include <string.h>

#include "conv.h"
#include "cpu.h"
#include "parallel.h"

static int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/* Sizes of one product. */
typedef struct {
    int64_t rows, pitch, blocks; /* of a piece; bytes of a row of k, whole dwords; of 16 columns */
} sizes;

static sizes sizes_of(const tpuc_matmul *p) {
    return (sizes){(p->m + p->pieces - 1) / p->pieces, (p->k + 3) / 4 * 4,
                   (p->n + TPUC_BLOCK - 1) / TPUC_BLOCK};
}

/* Scratch memory of a slot. */
typedef struct {
    tpuc_requant *requant; /* [blocks] */
    uint8_t *left;         /* [rows][pitch] */
    uint8_t *right;        /* [n][pitch] */
    int8_t *packed;        /* [strip][part][k4][block][16][4] */
    uint8_t *out;          /* [rows][blocks * 16] */
    int64_t size;
} memory;

static memory memory_of(const tpuc_matmul *p, const sizes *z, int64_t slot) {
    const int64_t requant = z->blocks * (int64_t)sizeof(tpuc_requant);
    const int64_t left = aligned(z->rows * z->pitch), right = aligned(p->n * z->pitch);
    const int64_t packed = z->blocks * TPUC_BLOCK * z->pitch * p->parts;
    const int64_t out = aligned(z->rows * z->blocks * TPUC_BLOCK);
    memory s = {.size = aligned(requant) + left + right + aligned(packed) + out};
    uint8_t *at = p->scratch + slot * s.size;
    s.requant = (tpuc_requant *)at, at += aligned(requant);
    s.left = at, at += left;
    s.right = at, at += right;
    s.packed = (int8_t *)at, at += aligned(packed);
    s.out = at;
    return s;
}

int64_t tpuc_matmul_scratch(const tpuc_matmul *p) {
    const sizes z = sizes_of(p);
    return memory_of(p, &z, 0).size;
}

/* Strips of up to four blocks, as even as possible. */
static tpuc_strip strip_of(int64_t blocks, int64_t index, int64_t count) {
    const int64_t first = blocks * index / count, end = blocks * (index + 1) / count;
    return (tpuc_strip){(int32_t)first, (int32_t)(end - first), 0};
}

/* Four numbers of part `part`. */
static inline void take_part(const uint8_t *from, int part, int parts, int8_t *to) {
    if (parts == 1) {
        memcpy(to, from, 4);
        return;
    }
    for (int i = 0; i < 4; i++) {
        const int rest = from[i] - 127 * part;
        to[i] = (int8_t)(rest < 0 ? 0 : rest > 127 ? 127 : rest);
    }
}

/* Rows of `right` to blocks of a strip. */
static void pack_strip(const tpuc_matmul *p, const sizes *z, const memory *s,
                       const tpuc_strip *strip) {
    const int64_t k4 = z->pitch / 4, first = strip->first * TPUC_BLOCK;
    const int64_t width = strip->width * TPUC_BLOCK;
    int8_t *to = s->packed + first * z->pitch * p->parts;
    for (int part = 0; part < p->parts; part++)
        for (int64_t n = 0; n < width; n++) {
            const uint8_t *from = s->right + (first + n) * z->pitch;
            int8_t *at = to + (part * k4 * width + n) * 4;
            for (int64_t k = 0; k < k4; k++)
                if (first + n < p->n) take_part(from + 4 * k, part, p->parts, at + 4 * k * width);
                else memset(at + 4 * k * width, 0, 4);
        }
}

/* Requantization of column n, whose numbers add up to `sum`. */
static void set_requant(const tpuc_matmul *p, tpuc_requant *requant, int64_t n, int64_t sum) {
    tpuc_requant *q = requant + n / TPUC_BLOCK;
    const int odd = n & 1, pair = n % TPUC_BLOCK / 2;
    q->m[odd][pair] = p->multiplier, q->r[odd][pair] = p->rounding, q->s[odd][pair] = p->rshift;
    q->b[odd][pair] = -p->left_zero * sum * p->multiplier;
}

static void load_right(const tpuc_matmul *p, const sizes *z, const memory *s, int64_t batch) {
    const tpuc_steps dense = {z->pitch, 1};
    tpuc_move_bytes(p->right + p->right_at[batch], p->right_step, s->right, dense, p->n, p->k);
    const uint8_t mask = (uint8_t)p->right_zero; /* biased byte to number */
    for (int64_t n = 0; n < z->blocks * TPUC_BLOCK; n++) {
        int32_t sum = 0;
        uint8_t *row = s->right + n * z->pitch;
        if (n < p->n) {
            for (int64_t k = 0; k < p->k; k++) {
                sum += row[k] - p->right_zero;
                row[k] ^= mask;
            }
            memset(row + p->k, 0, (size_t)(z->pitch - p->k));
        }
        set_requant(p, s->requant, n, sum);
    }
}

static tpuc_tile_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_tile_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_tile_avx2;
#endif
    return tpuc_tile_portable;
}

static void multiply(const tpuc_matmul *p, const sizes *z, const memory *s,
                     const tpuc_strip *strip, int64_t rows) {
    static const ptrdiff_t again[TPUC_MATMUL_PARTS] = {0};
    const tpuc_tile_function function = choose();
    const int64_t pitch = z->blocks * TPUC_BLOCK, first = strip->first * TPUC_BLOCK;
    const int64_t left = p->n - first - (strip->width - 1) * TPUC_BLOCK;
    tpuc_tile tile = {.tap = again, .taps = p->parts, .k4 = (int32_t)(z->pitch / 4),
                      .width = strip->width, .low = p->low, .rounding = TPUC_HALF_AWAY};
    tile.lanes = left < TPUC_BLOCK ? (int32_t)left : TPUC_BLOCK;
    tile.weights = s->packed + first * z->pitch * p->parts;
    tile.requant = s->requant + strip->first;
    const int most = tpuc_tile_rows(strip->width);
    for (int64_t m = 0; m < rows; m += tile.rows) {
        tile.rows = rows - m < most ? (int32_t)(rows - m) : most;
        for (int r = 0; r < tile.rows; r++) {
            tile.in[r] = s->left + (m + r) * z->pitch;
            tile.out[r] = s->out + (m + r) * pitch + first;
        }
        function(&tile);
    }
}

/* One piece of the rows of one product; `fresh`: the right matrix is not yet packed. */
static void run_piece(const tpuc_matmul *p, const sizes *z, const memory *s, int64_t unit,
                      int fresh) {
    const int64_t batch = unit / p->pieces, from = unit % p->pieces * z->rows;
    const int64_t rows = p->m - from < z->rows ? p->m - from : z->rows;
    if (rows <= 0) return;
    const tpuc_steps dense = {z->pitch, 1}, wide = {z->blocks * TPUC_BLOCK, 1};
    if (fresh) load_right(p, z, s, batch);
    tpuc_move_bytes(p->left + p->left_at[batch] + from * p->left_step.row, p->left_step, s->left,
                    dense, rows, p->k);
    const int64_t strips = (z->blocks + 3) / 4;
    for (int64_t i = 0; i < strips; i++) {
        const tpuc_strip strip = strip_of(z->blocks, i, strips);
        if (fresh) pack_strip(p, z, s, &strip);
        multiply(p, z, s, &strip, rows);
    }
    tpuc_move_bytes(s->out, wide, p->out + p->out_at[batch] + from * p->out_step.row, p->out_step,
                    rows, p->n);
}

/* Item: the products of one slot. */
static void run_slot(const void *context, int64_t slot) {
    const tpuc_matmul *p = context;
    const sizes z = sizes_of(p);
    const memory s = memory_of(p, &z, slot);
    const int64_t units = p->batches * p->pieces, end = units * (slot + 1) / p->slots;
    int64_t packed = -1;
    for (int64_t unit = units * slot / p->slots; unit < end; unit++) {
        run_piece(p, &z, &s, unit, unit / p->pieces != packed);
        packed = unit / p->pieces;
    }
}

void tpuc_matmul_run(const tpuc_matmul *p, int threads) {
    tpuc_parallel(threads, p->slots, run_slot, p);
}
