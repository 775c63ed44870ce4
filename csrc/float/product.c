#define BLOCK tpuc_float_block_portable
#include "product_body.h"

#include "../cpu.h"
#include "../parallel.h"

static tpuc_float_block_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_float_block_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_float_block_avx2;
#endif
    return tpuc_float_block_portable;
}

typedef struct {
    const tpuc_float_product *product;
    const tpuc_image *a, *b, *out;
    tpuc_float_block_function function;
    tpuc_float_path path;
    int strips, pieces;
} job;

enum { ROWS = 16, COLUMNS = 48 };

static ptrdiff_t numbers(ptrdiff_t bytes) { return bytes / (ptrdiff_t)sizeof(float); }

static int blocks_of(int channels) { return (channels + TPUC_LANES - 1) / TPUC_LANES; }

static int least(int a, int b) { return a < b ? a : b; }

/* Item: one block of channels, some rows. */
static void block_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_float_product *p = j->product;
    const tpuc_image *a = j->a, *b = j->b, *out = j->out;
    const int block = (int)(item % j->strips), piece = (int)(item / j->strips % j->pieces);
    const int64_t n = item / j->strips / j->pieces;
    const int first = piece * ROWS, c = block * TPUC_LANES;
    tpuc_float_block t = {
        .a_row = numbers(p->left_transpose ? a->pixel : a->row),
        .a_term = numbers(p->left_transpose ? a->row : a->pixel),
        .b_term = numbers(p->right_transpose ? b->pixel : b->row),
        .b_column = numbers(p->right_transpose ? b->row : b->pixel),
        .out_row = numbers(out->row),
        .out_column = numbers(out->pixel),
        .rows = least(ROWS, out->h - first),
        .columns = out->w,
        .channels = least(TPUC_LANES, out->c - c),
        .chunks = p->chunks,
        .chunk_end = p->chunk_end,
        .end = p->end,
    };
    t.a = (const float *)(a->data + n * a->image) + c + first * t.a_row;
    t.b = (const float *)(b->data + n * b->image) + c;
    t.out = (float *)(out->data + n * out->image) + c + first * t.out_row;
    j->function(&t);
}

/* Item: one strip of channels of one row, some columns: the left image plays the weights of a tile,
 * columns of the right side play its pixels. */
static void strip_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_float_product *p = j->product;
    const tpuc_image *a = j->a, *b = j->b, *out = j->out;
    const int piece = (int)(item % j->pieces), strip = (int)(item / j->pieces % j->strips);
    const int64_t line = item / j->pieces / j->strips, y = line % out->h, n = line / out->h;
    const int blocks = blocks_of(out->c), first = blocks * strip / j->strips;
    const int width = blocks * (strip + 1) / j->strips - first, c = first * TPUC_LANES;
    const ptrdiff_t zero = 0;
    tpuc_float_tile tile = {.tap = &zero, .taps = 1, .chunks = p->chunks, .lanes = 1};
    tile.chunk_end = p->chunk_end, tile.width = width, tile.end = p->end;
    tile.last = least(TPUC_LANES, out->c - (first + width - 1) * TPUC_LANES);
    tile.weights = (const float *)(a->data + n * a->image + y * a->row) + c;
    tile.advance = numbers(a->pixel);
    ptrdiff_t column = p->terms;
    const float *right = p->right;
    tile.step = 1;
    if (!right) {
        right = (const float *)(b->data + n * b->image);
        column = p->right_transpose ? 1 : numbers(b->pixel);
        tile.step = p->right_transpose ? numbers(b->pixel) : 1;
    }
    float *target = (float *)(out->data + n * out->image + y * out->row) + c;
    const int from = piece * COLUMNS, to = least(from + COLUMNS, out->w);
    for (int x = from; x < to; x += tile.rows) {
        tile.rows = least(j->path.rows[width], to - x);
        tile.row_bias = p->bias + x;
        for (int r = 0; r < tile.rows; r++) {
            tile.in[r] = right + (x + r) * column;
            tile.out[r] = target + (x + r) * numbers(out->pixel);
        }
        j->path.function(&tile);
    }
}

void tpuc_float_product_run(const tpuc_float_product *p, const tpuc_image *a, const tpuc_image *b,
                            const tpuc_image *out, int threads) {
    job j = {.product = p, .a = a, .b = b, .out = out};
    const int blocks = blocks_of(out->c);
    if (p->by_channel) {
        j.function = choose();
        j.strips = blocks, j.pieces = (out->h + ROWS - 1) / ROWS;
        tpuc_parallel(threads, (int64_t)out->n * j.strips * j.pieces, block_item, &j);
    } else {
        j.path = tpuc_float_path_in_use();
        j.strips = (blocks + TPUC_FLOAT_WIDTH - 1) / TPUC_FLOAT_WIDTH;
        j.pieces = (out->w + COLUMNS - 1) / COLUMNS;
        tpuc_parallel(threads, (int64_t)out->n * out->h * j.strips * j.pieces, strip_item, &j);
    }
}
