#include "attention.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "cpu.h"
#include "parallel.h"

/* Plain C: the loops over 16 columns become vectors of whatever there is. */
static void product(const uint8_t *x, ptrdiff_t pitch, int rows, const int8_t *weights, int k4,
                    int blocks, const int32_t *bias, int32_t *sums, ptrdiff_t sum_pitch) {
    for (int b = 0; b < blocks; b++)
        for (int r = 0; r < rows; r++) {
            const uint8_t *a = x + r * pitch;
            const int8_t *w = weights + (ptrdiff_t)b * k4 * 64;
            int32_t total[16];
            memcpy(total, bias + 16 * b, sizeof total);
            for (int k = 0; k < k4; k++, w += 64)
                for (int c = 0; c < 16; c++)
                    for (int i = 0; i < 4; i++) total[c] += a[4 * k + i] * w[4 * c + i];
            memcpy(sums + r * sum_pitch + 16 * b, total, sizeof total);
        }
}

#define NAME tpuc_attention_portable
#define PRODUCT product
#include "attention_body.h"

static int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static const tpuc_attention_loops *loops(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return &tpuc_attention_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return &tpuc_attention_avx2;
#endif
    return &tpuc_attention_portable;
}

/* What a run keeps of each head of each sample, and of each item. */
typedef struct {
    const tpuc_attention *heads;
    const tpuc_attention_run_on *on;
    const tpuc_attention_loops *loops;
    int64_t count, pieces, groups; /* heads; items of a head of a sample; their groups of rows */
    int64_t tokens16, tokens4, width4, depth16, most;
    int64_t sample, item; /* bytes */
} job;

enum { ITEMS = 32 }; /* enough for every thread to have its share */

static job job_of(const tpuc_attention *heads, int64_t count, const tpuc_attention_run_on *on) {
    job j = {.heads = heads, .on = on, .loops = loops(), .count = count};
    j.tokens16 = up(on->tokens, 16), j.tokens4 = up(on->tokens, 4);
    for (int64_t h = 0; h < count; h++) {
        const int64_t width = up(heads[h].width, 4), depth = up(heads[h].depth, 16);
        j.width4 = j.width4 < width ? width : j.width4;
        j.depth16 = j.depth16 < depth ? depth : j.depth16;
    }
    const int64_t groups = (on->tokens + TPUC_ATTENTION_ROWS - 1) / TPUC_ATTENTION_ROWS;
    const int64_t wanted = (ITEMS + on->batch * count - 1) / (on->batch * count);
    j.groups = (groups + wanted - 1) / wanted;
    j.pieces = (groups + j.groups - 1) / j.groups;
    j.most = j.depth16 > j.tokens16 ? j.depth16 : j.tokens16;
    /* k and v packed; sums of columns of k and of nothing */
    j.sample = up(j.tokens16 * j.width4 + j.tokens4 * j.depth16, 64) +
               up(4 * (j.tokens16 + j.depth16), 64);
    /* sums; powers; scores; shares */
    j.item = up(TPUC_ATTENTION_ROWS * (4 * j.most + 5 * j.tokens16 + j.tokens4), 64);
    return j;
}

int64_t tpuc_attention_scratch(const tpuc_attention *heads, int64_t count, int64_t batch,
                               int64_t tokens) {
    const tpuc_attention_run_on on = {.batch = batch, .tokens = tokens};
    const job j = job_of(heads, count, &on);
    return batch * count * (j.sample + j.pieces * j.item);
}

/* Places in the scratch memory. */
typedef struct {
    int8_t *keys, *values;
    int32_t *key_bias, *none;
} sample_memory;

static sample_memory sample_of(const job *j, int64_t index) {
    uint8_t *at = j->on->scratch + index * j->sample;
    sample_memory s = {(int8_t *)at, (int8_t *)at + j->tokens16 * j->width4, 0, 0};
    s.key_bias = (int32_t *)(at + up(j->tokens16 * j->width4 + j->tokens4 * j->depth16, 64));
    s.none = s.key_bias + j->tokens16;
    return s;
}

typedef struct {
    int32_t *sums;
    float *powers;
    uint8_t *lines, *shares;
} item_memory;

static item_memory item_of(const job *j, int64_t item) {
    uint8_t *at = j->on->scratch + j->on->batch * j->count * j->sample + item * j->item;
    item_memory g = {(int32_t *)at, 0, 0, 0};
    g.powers = (float *)(at += 4 * TPUC_ATTENTION_ROWS * j->most);
    g.lines = at += 4 * TPUC_ATTENTION_ROWS * j->tokens16;
    g.shares = at + TPUC_ATTENTION_ROWS * j->tokens16;
    return g;
}

/* Rows of k are the columns of a product. Numbers that are not there are 0. */
static void pack_keys(const job *j, const tpuc_attention *head, const uint8_t *from,
                      const sample_memory *s) {
    const int width = head->width;
    const int64_t width4 = up(width, 4);
    memset(s->keys, 0, (size_t)(j->tokens16 * width4));
    memset(s->key_bias, 0, (size_t)j->tokens16 * 4);
    for (int64_t t = 0; t < j->on->tokens; t++, from += j->on->part_pitch) {
        int8_t *to = s->keys + t / 16 * 16 * width4 + t % 16 * 4;
        int32_t sum = 0;
        for (int i = 0; i < width; i++) sum += from[i];
        int i = 0;
        for (; i + 4 <= width; i += 4) {
            uint32_t word;
            memcpy(&word, from + i, 4);
            word ^= 0x80808080u;
            memcpy(to + i * 16, &word, 4);
        }
        for (int k = i; k < width; k++) to[i * 16 + k - i] = (int8_t)(from[k] ^ 128);
        s->key_bias[t] = -128 * (sum - 128 * width);
    }
}

/* Four rows of 16 numbers, row by row, to 16 columns of four. */
static inline void turn_four(const uint8_t *from, ptrdiff_t pitch, uint8_t *to) {
#if defined(__SSE2__)
    const __m128i top = _mm_set1_epi8(-128);
    __m128i r[4];
    for (int i = 0; i < 4; i++)
        r[i] = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(from + i * pitch)), top);
    const __m128i a = _mm_unpacklo_epi8(r[0], r[1]), b = _mm_unpacklo_epi8(r[2], r[3]);
    const __m128i c = _mm_unpackhi_epi8(r[0], r[1]), d = _mm_unpackhi_epi8(r[2], r[3]);
    _mm_storeu_si128((__m128i *)to, _mm_unpacklo_epi16(a, b));
    _mm_storeu_si128((__m128i *)to + 1, _mm_unpackhi_epi16(a, b));
    _mm_storeu_si128((__m128i *)to + 2, _mm_unpacklo_epi16(c, d));
    _mm_storeu_si128((__m128i *)to + 3, _mm_unpackhi_epi16(c, d));
#else
    for (int c = 0; c < 16; c++)
        for (int i = 0; i < 4; i++) to[4 * c + i] = from[i * pitch + c] ^ 128;
#endif
}

/* Numbers of rows that are not there meet shares of 0; columns that are not there are not kept. */
static void pack_values(const job *j, const tpuc_attention *head, const uint8_t *from,
                        const sample_memory *s) {
    const ptrdiff_t pitch = j->on->part_pitch;
    for (int64_t t = 0; t < j->tokens4; t += 4)
        for (int block = 0; block < head->depth; block += 16) {
            const uint8_t *at = from + t * pitch + block;
            uint8_t *to = (uint8_t *)s->values + block * j->tokens4 + t * 16;
            const int columns = head->depth - block < 16 ? head->depth - block : 16;
            if (columns == 16 && t + 4 <= j->on->tokens) {
                turn_four(at, pitch, to);
                continue;
            }
            uint8_t few[4][16] = {{0}};
            for (int i = 0; i < 4 && t + i < j->on->tokens; i++)
                memcpy(few[i], at + i * pitch, (size_t)columns);
            turn_four(few[0], 16, to);
        }
}

/* Item: one head of one sample. */
static void pack_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_attention *head = j->heads + item % j->count;
    const uint8_t *rows = j->on->parts + item / j->count * j->on->tokens * j->on->part_pitch;
    const sample_memory s = sample_of(j, item);
    memset(s.none, 0, (size_t)j->depth16 * 4);
    pack_keys(j, head, rows + head->key, &s);
    pack_values(j, head, rows + head->value, &s);
}

/* The shares of a group of rows; what is hidden has the least score, p - 255 being -128 or less. */
static void share(const job *j, const tpuc_attention *head, const item_memory *g, int64_t n,
                  int rows) {
    const int64_t tokens = j->on->tokens;
    const int32_t *mask = j->on->mask;
    if (mask) mask += n % j->on->mask_batch * tokens;
    for (int r = 0; r < TPUC_ATTENTION_ROWS; r++) {
        uint8_t *line = g->lines + r * j->tokens16;
        const int32_t *sums = g->sums + (r < rows ? r : 0) * j->tokens16;
        j->loops->requant(sums, (int)j->tokens16, head->score_words, line);
        for (int64_t t = 0; mask && t < tokens; t++) line[t] = mask[t] != 0 ? 0 : line[t];
    }
    j->loops->shares(g->lines, j->tokens16, (int)tokens, head->table, head->scale, g->powers,
                     g->shares, j->tokens4);
    for (int r = 0; r < rows; r++)
        for (int64_t t = tokens; t < j->tokens4; t++) g->shares[r * j->tokens4 + t] = 0;
}

/* Some rows of one head of one sample, at most TPUC_ATTENTION_ROWS. */
static void attend_rows(const job *j, int64_t index, const item_memory *g, int64_t first,
                        int rows) {
    const tpuc_attention *head = j->heads + index % j->count;
    const int64_t n = index / j->count, row = n * j->on->tokens + first;
    const int depth16 = (int)up(head->depth, 16);
    const sample_memory s = sample_of(j, index);
    j->loops->product(j->on->parts + row * j->on->part_pitch + head->query, j->on->part_pitch,
                      rows, s.keys, (head->width + 3) / 4, (int)(j->tokens16 / 16), s.key_bias,
                      g->sums, j->tokens16);
    share(j, head, g, n, rows);
    j->loops->product(g->shares, j->tokens4, rows, s.values, (int)(j->tokens4 / 4), depth16 / 16,
                      s.none, g->sums, depth16);
    uint8_t *out = j->on->mixed + row * j->on->mixed_pitch + head->mixed;
    for (int r = 0; r < rows; r++)
        j->loops->requant(g->sums + r * depth16, head->depth, head->mixed_words,
                          out + r * j->on->mixed_pitch);
}

/* Item: a piece of the rows of one head of one sample. */
static void attend_item(const void *context, int64_t item) {
    const job *j = context;
    const item_memory g = item_of(j, item);
    const int64_t from = item % j->pieces * j->groups * TPUC_ATTENTION_ROWS;
    const int64_t end = from + j->groups * TPUC_ATTENTION_ROWS;
    for (int64_t row = from; row < end && row < j->on->tokens; row += TPUC_ATTENTION_ROWS) {
        const int64_t left = j->on->tokens - row;
        attend_rows(j, item / j->pieces, &g, row,
                    (int)(left < TPUC_ATTENTION_ROWS ? left : TPUC_ATTENTION_ROWS));
    }
}

void tpuc_attention_run(const tpuc_attention *heads, int64_t count,
                        const tpuc_attention_run_on *on, int threads) {
    const job j = job_of(heads, count, on);
    tpuc_parallel(threads, on->batch * count, pack_item, &j);
    tpuc_parallel(threads, on->batch * count * j.pieces, attend_item, &j);
}

typedef struct {
    const tpuc_attention_matrix *matrix;
    const uint8_t *x;
    ptrdiff_t pitch;
    int64_t rows;
    int32_t *y;
} sums_job;

static void sums_item(const void *context, int64_t item) {
    const sums_job *j = context;
    const tpuc_attention_matrix *m = j->matrix;
    const int64_t first = item * TPUC_ATTENTION_ROWS, left = j->rows - first;
    const int rows = (int)(left < TPUC_ATTENTION_ROWS ? left : TPUC_ATTENTION_ROWS);
    const int k4 = (m->terms + 3) / 4;
    int32_t sums[TPUC_ATTENTION_ROWS * 16];
    for (int32_t c = 0; c < m->columns; c += 16) {
        loops()->product(j->x + first * j->pitch, j->pitch, rows,
                         m->weights + (ptrdiff_t)c * k4 * 4, k4, 1, m->bias + c, sums, 16);
        const size_t count = (size_t)(m->columns - c < 16 ? m->columns - c : 16);
        for (int r = 0; r < rows; r++)
            memcpy(j->y + (first + r) * m->columns + c, sums + r * 16, 4 * count);
    }
}

void tpuc_attention_sums(const tpuc_attention_matrix *matrix, const uint8_t *x, ptrdiff_t pitch,
                         int64_t rows, int32_t *y, int threads) {
    const sums_job j = {matrix, x, pitch, rows, y};
    tpuc_parallel(threads, (rows + TPUC_ATTENTION_ROWS - 1) / TPUC_ATTENTION_ROWS, sums_item, &j);
}

enum { RUN = 4096 };

typedef struct {
    const int32_t *in;
    int8_t *out;
    int64_t count;
    tpuc_attention_words words;
} requant_job;

static void requant_some(const void *context, int64_t item) {
    const requant_job *j = context;
    const int64_t first = item * RUN, end = first + RUN < j->count ? first + RUN : j->count;
    for (int64_t i = first; i < end; i += 256) {
        const int count = (int)(end - i < 256 ? end - i : 256);
        loops()->requant(j->in + i, count, j->words, (uint8_t *)j->out + i);
        for (int64_t k = i; k < i + count; k++) j->out[k] = (int8_t)(j->out[k] ^ -128);
    }
}

void tpuc_requant_plain(const int32_t *in, int8_t *out, int64_t count, tpuc_attention_words words,
                        int threads) {
    const requant_job j = {in, out, count, words};
    tpuc_parallel(threads, (count + RUN - 1) / RUN, requant_some, &j);
}

typedef struct {
    const int32_t *a, *b;
    int32_t *out;
    int64_t count;
} add_job;

static void add_some(const void *context, int64_t item) {
    const add_job *j = context;
    const int64_t first = item * RUN, left = j->count - first;
    loops()->add(j->a + first, j->b + first, j->out + first, (int)(left < RUN ? left : RUN));
}

void tpuc_add_plain(const int32_t *a, const int32_t *b, int32_t *out, int64_t count, int threads) {
    const add_job j = {a, b, out, count};
    tpuc_parallel(threads, (count + RUN - 1) / RUN, add_some, &j);
}
