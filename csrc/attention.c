#include "attention.h"

#include <string.h>

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

/* What a run keeps of one head's samples, and of one group of rows, which all heads share. */
typedef struct {
    const tpuc_attention *op;
    const tpuc_attention_run_on *on;
    const tpuc_attention_loops *loops;
    int64_t groups, width, depth, terms, tokens16, tokens4, columns, most;
    int64_t sample, group;       /* bytes */
    int64_t samples_at, groups_at; /* in the scratch memory */
} job;

typedef struct {
    const job *heads;
    int64_t count;
} run;

static job job_of(const tpuc_attention *op, const tpuc_attention_run_on *on) {
    job j = {.op = op, .on = on, .loops = loops()};
    j.groups = (on->tokens + TPUC_ATTENTION_ROWS - 1) / TPUC_ATTENTION_ROWS;
    j.width = up(op->query.columns, 16), j.depth = up(op->value.columns, 16);
    j.terms = up(op->query.terms, 4), j.columns = up(op->out.columns, 16);
    j.tokens16 = up(on->tokens, 16), j.tokens4 = up(on->tokens, 4);
    j.most = j.columns > j.tokens16 ? j.columns : j.tokens16;
    if (j.most < j.width) j.most = j.width;
    if (j.most < j.depth) j.most = j.depth;
    const int64_t rows = j.groups * TPUC_ATTENTION_ROWS;
    /* q; k, v as bytes; both packed; sums of columns of k and of nothing */
    j.sample = up(rows * (2 * j.width + j.depth), 64) + up(j.tokens16 * j.width, 64) +
               up(j.tokens4 * j.depth, 64) + up(4 * (j.tokens16 + j.depth), 64);
    /* rows of bytes; rows of sums; powers */
    const int64_t bytes = j.terms > j.tokens4 ? j.terms : j.tokens4;
    j.group = up(TPUC_ATTENTION_ROWS * (bytes + j.depth), 64) +
              up(4 * TPUC_ATTENTION_ROWS * j.most, 64) + up(5 * TPUC_ATTENTION_ROWS * j.tokens16, 64);
    return j;
}

/* Fills in the jobs of all heads; bytes of scratch memory behind them. */
static int64_t place(const tpuc_attention *const *heads, int64_t count,
                     const tpuc_attention_run_on *on, job *jobs) {
    int64_t at = up(count * (int64_t)sizeof(job), 64), group = 0, groups = 0;
    for (int64_t h = 0; h < count; h++) {
        job j = job_of(heads[h], on);
        j.samples_at = at, at += on->batch * j.sample;
        group = group < j.group ? j.group : group, groups = j.groups;
        if (jobs) jobs[h] = j;
    }
    for (int64_t h = 0; jobs && h < count; h++) jobs[h].group = group, jobs[h].groups_at = at;
    return at + on->batch * groups * group;
}

int64_t tpuc_attention_scratch(const tpuc_attention *const *heads, int64_t count, int64_t batch,
                               int64_t tokens) {
    const tpuc_attention_run_on on = {.batch = batch, .tokens = tokens};
    return place(heads, count, &on, 0);
}

/* Places in the scratch memory. */
typedef struct {
    uint8_t *q, *k, *v;
    int8_t *keys, *values;
    int32_t *key_bias, *none;
} sample_memory;

static sample_memory sample_of(const job *j, int64_t n) {
    const int64_t rows = j->groups * TPUC_ATTENTION_ROWS;
    uint8_t *at = j->on->scratch + j->samples_at + n * j->sample;
    sample_memory s = {at, at + rows * j->width, at + 2 * rows * j->width, 0, 0, 0, 0};
    at += up(rows * (2 * j->width + j->depth), 64);
    s.keys = (int8_t *)at, at += up(j->tokens16 * j->width, 64);
    s.values = (int8_t *)at, at += up(j->tokens4 * j->depth, 64);
    s.key_bias = (int32_t *)at, s.none = s.key_bias + j->tokens16;
    return s;
}

typedef struct {
    uint8_t *rows, *mixed;
    int32_t *sums;
    float *powers;
    uint8_t *lines;
} group_memory;

static group_memory group_of(const job *j, int64_t item) {
    const int64_t bytes = j->terms > j->tokens4 ? j->terms : j->tokens4;
    uint8_t *at = j->on->scratch + j->groups_at + item * j->group;
    group_memory g = {at, at + TPUC_ATTENTION_ROWS * bytes, 0, 0, 0};
    at += up(TPUC_ATTENTION_ROWS * (bytes + j->depth), 64);
    g.sums = (int32_t *)at, at += up(4 * TPUC_ATTENTION_ROWS * j->most, 64);
    g.powers = (float *)at, g.lines = at + 4 * TPUC_ATTENTION_ROWS * j->tokens16;
    return g;
}

static int rows_of(const job *j, int64_t group) {
    const int64_t left = j->on->tokens - group * TPUC_ATTENTION_ROWS;
    return (int)(left < TPUC_ATTENTION_ROWS ? left : TPUC_ATTENTION_ROWS);
}

/* Biased bytes of requant(rows times a constant matrix). */
static void project(const job *j, const group_memory *g, int rows, const tpuc_attention_matrix *m,
                    tpuc_attention_words words, uint8_t *out) {
    const int64_t columns = up(m->columns, 16);
    j->loops->product(g->rows, j->terms, rows, m->weights, (int)(j->terms / 4),
                      (int)(columns / 16), m->bias, g->sums, columns);
    j->loops->requant(g->sums, (int)(rows * columns), words, out);
}

/* Item: q, k, v of some rows, for every head. Columns that are not there are 0. */
static void make_parts(const void *context, int64_t item) {
    const run *all = context;
    const job *j = all->heads;
    const int64_t n = item / j->groups, group = item % j->groups;
    const int64_t first = group * TPUC_ATTENTION_ROWS, terms = j->op->query.terms;
    const int rows = rows_of(j, group);
    const int8_t *x = j->on->x + (n * j->on->tokens + first) * terms;
    uint8_t *bytes = group_of(j, item).rows; /* at the same place for all heads */
    for (int r = 0; r < rows; r++) {
        uint8_t *row = bytes + r * j->terms;
        for (int64_t i = 0; i < terms; i++) row[i] = (uint8_t)x[r * terms + i] ^ 128;
        for (int64_t i = terms; i < j->terms; i++) row[i] = 128;
    }
    for (int64_t h = 0; h < all->count; h++) {
        j = all->heads + h;
        const sample_memory s = sample_of(j, n);
        const group_memory g = group_of(j, item);
        project(j, &g, rows, &j->op->query, j->op->query_words, s.q + first * j->width);
        project(j, &g, rows, &j->op->key, j->op->key_words, s.k + first * j->width);
        project(j, &g, rows, &j->op->value, j->op->value_words, s.v + first * j->depth);
    }
}

/* Item: pack k, whose rows are the columns of a product, and v, of one sample of one head. */
static void pack_sample(const void *context, int64_t item) {
    const run *all = context;
    const job *j = all->heads + item % all->count;
    const int64_t n = item / all->count;
    const sample_memory s = sample_of(j, n);
    const int64_t tokens = j->on->tokens, width = j->width, depth = j->depth;
    memset(s.keys, 0, (size_t)(j->tokens16 * width));
    memset(s.none, 0, (size_t)depth * 4);
    for (int64_t t = 0; t < j->tokens16; t++) s.key_bias[t] = 0;
    for (int64_t t = 0; t < tokens; t++) {
        int8_t *to = s.keys + t / 16 * 16 * width + t % 16 * 4;
        const uint8_t *from = s.k + t * width;
        int32_t sum = 0;
        for (int64_t i = 0; i < width; i++) sum += from[i];
        for (int64_t i = 0; i < width; i += 4) {
            uint32_t word;
            memcpy(&word, from + i, 4);
            word ^= 0x80808080u;
            memcpy(to + i * 16, &word, 4);
        }
        s.key_bias[t] = -128 * (sum - 128 * (int32_t)width);
    }
    for (int64_t t = 0; t < j->tokens4; t += 4) /* rows that are not there meet shares of 0 */
        for (int64_t block = 0; block < depth; block += 16) {
            const uint8_t *from = s.v + t * depth + block;
            uint8_t *to = (uint8_t *)s.values + block * j->tokens4 + t * 16;
            for (int c = 0; c < 16; c++)
                for (int i = 0; i < 4; i++) to[4 * c + i] = from[i * depth + c] ^ 128;
        }
}

/* The shares of a group of rows; what is hidden has the least score, p - 255 being -128 or less. */
static void share(const job *j, const group_memory *g, const sample_memory *s, int64_t n, int rows) {
    const int64_t tokens = j->on->tokens;
    const int32_t *mask = j->on->mask;
    if (mask) mask += n % j->on->mask_batch * tokens;
    for (int r = 0; r < TPUC_ATTENTION_ROWS; r++) {
        uint8_t *line = g->lines + r * j->tokens16;
        const int32_t *sums = g->sums + (r < rows ? r : 0) * j->tokens16;
        j->loops->requant(sums, (int)j->tokens16, j->op->score_words, line);
        for (int64_t t = 0; mask && t < tokens; t++) line[t] = mask[t] != 0 ? 0 : line[t];
    }
    j->loops->shares(g->lines, j->tokens16, (int)tokens, j->op->table, j->op->scale, g->powers,
                     g->rows, j->tokens4);
    for (int r = 0; r < rows; r++)
        for (int64_t t = tokens; t < j->tokens4; t++) g->rows[r * j->tokens4 + t] = 0;
}

/* The result of one head for some rows; heads behind the first are added. */
static void attend_head(const job *j, int64_t item, int adds) {
    const int64_t n = item / j->groups, group = item % j->groups;
    const int64_t first = group * TPUC_ATTENTION_ROWS, columns = j->op->out.columns;
    const int rows = rows_of(j, group);
    const sample_memory s = sample_of(j, n);
    const group_memory g = group_of(j, item);
    j->loops->product(s.q + first * j->width, j->width, rows, s.keys, (int)(j->width / 4),
                      (int)(j->tokens16 / 16), s.key_bias, g.sums, j->tokens16);
    share(j, &g, &s, n, rows);
    j->loops->product(g.rows, j->tokens4, rows, s.values, (int)(j->tokens4 / 4),
                      (int)(j->depth / 16), s.none, g.sums, j->depth);
    j->loops->requant(g.sums, (int)(rows * j->depth), j->op->mixed_words, g.mixed);
    int32_t *y = j->on->y + (n * j->on->tokens + first) * columns;
    int32_t *sums = columns == j->columns && !adds ? y : g.sums;
    j->loops->product(g.mixed, j->depth, rows, j->op->out.weights, (int)(j->depth / 4),
                      (int)(j->columns / 16), j->op->out.bias, sums, j->columns);
    if (sums == y) return;
    for (int r = 0; r < rows; r++) {
        int32_t *to = y + r * columns;
        const int32_t *from = sums + r * j->columns;
        if (adds) j->loops->add(to, from, to, (int)columns);
        else memcpy(to, from, (size_t)columns * 4);
    }
}

/* Item: the sum of all heads for some rows. */
static void attend(const void *context, int64_t item) {
    const run *all = context;
    for (int64_t h = 0; h < all->count; h++) attend_head(all->heads + h, item, h > 0);
}

void tpuc_attention_run(const tpuc_attention *const *heads, int64_t count,
                        const tpuc_attention_run_on *on, int threads) {
    job *jobs = (job *)on->scratch;
    place(heads, count, on, jobs);
    const run all = {jobs, count};
    tpuc_parallel(threads, on->batch * jobs->groups, make_parts, &all);
    tpuc_parallel(threads, on->batch * count, pack_sample, &all);
    tpuc_parallel(threads, on->batch * jobs->groups, attend, &all);
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
