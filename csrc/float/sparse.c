#define LOOPS tpuc_sparse_loops_portable
#include "sparse_body.h"

#include "../cpu.h"
#include "../parallel.h"

enum { SAMPLED = 64, MOST_WORDS = 4096 };

typedef struct {
    const tpuc_float_conv *conv;
    const tpuc_image *in, *out;
    const tpuc_sparse_loops *loops;
    int64_t pixels, pieces;
    int joined, pairs; /* strips that run together; how often */
} job;

static const tpuc_sparse_loops *choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return &tpuc_sparse_loops_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return &tpuc_sparse_loops_avx2;
#endif
    return &tpuc_sparse_loops_portable;
}

static int least(int a, int b) { return a < b ? a : b; }

/* First input of an output pixel, for the first group. */
static const float *input_of(const job *j, int64_t pixel) {
    const tpuc_image *in = j->in, *out = j->out;
    const tpuc_float_conv *v = j->conv;
    const int64_t plane = (int64_t)out->h * out->w;
    const ptrdiff_t y = pixel % plane / out->w * v->stride_h - v->top;
    const ptrdiff_t x = pixel % plane % out->w * v->stride_w - v->left;
    return (const float *)(in->data + pixel / plane * in->image + y * in->row + x * in->pixel);
}

static float *output_of(const job *j, int64_t pixel) {
    const tpuc_image *out = j->out;
    const int64_t plane = (int64_t)out->h * out->w;
    const ptrdiff_t y = pixel % plane / out->w, x = pixel % plane % out->w;
    return (float *)(out->data + pixel / plane * out->image + y * out->row + x * out->pixel);
}

/* The next segment of terms: it ends with its chunk, and its weights fit the first cache. */
static int segment_end(const tpuc_float_conv *v, int first, int chunk) {
    return least(first + TPUC_SPARSE_TERMS, v->chunk_end[chunk]);
}

/* Pixels of a piece, and where they lie. */
typedef struct {
    const float *in[TPUC_SPARSE_PIXELS];
    float *out[TPUC_SPARSE_PIXELS];
    uint64_t some[MOST_WORDS]; /* [segments][pixels] */
    _Alignas(64) float sum[TPUC_SPARSE_PIXELS * TPUC_SPARSE_BLOCKS * TPUC_LANES];
    _Alignas(64) float total[TPUC_SPARSE_PIXELS * TPUC_SPARSE_BLOCKS * TPUC_LANES];
} piece;

/* Which terms are not 0: pixel by pixel, as they lie in memory. */
static void find_terms(const job *j, piece *p, int pixels) {
    const tpuc_float_conv *v = j->conv;
    for (int i = 0; i < pixels; i++) {
        uint64_t *some = p->some + i;
        for (int chunk = 0, first = 0; chunk < v->chunks; chunk++) {
            for (int end; first < v->chunk_end[chunk]; first = end, some += pixels) {
                end = segment_end(v, first, chunk);
                *some = j->loops->some(p->in[i] + first, end - first);
            }
        }
    }
}

/* All terms of the strips in `t`; where the sums are. */
static const float *sum_up(const job *j, piece *p, tpuc_sparse_segment *t) {
    const tpuc_float_conv *v = j->conv;
    const ptrdiff_t numbers = (ptrdiff_t)t->pixels * (t->width[0] + t->width[1]) * TPUC_LANES;
    for (int chunk = 0, first = 0; chunk < v->chunks; chunk++) {
        t->sum = chunk ? p->sum : p->total, t->fresh = 1;
        for (int end; first < v->chunk_end[chunk]; first = end, t->fresh = 0) {
            end = segment_end(v, first, chunk);
            t->first = first;
            j->loops->segment(t);
            t->some += t->pixels;
            for (int i = 0; i < 2; i++)
                t->weights[i] += (ptrdiff_t)(end - first) * t->width[i] * TPUC_LANES;
        }
        if (chunk) j->loops->join(p->total, p->sum, numbers);
    }
    return p->total;
}

/* Item: some strips of one group over one piece of the pixels; pieces follow one another, so that
 * weights stay near. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_float_conv *v = j->conv;
    const int64_t number = item % j->pieces, rest = item / j->pieces;
    const int group = (int)(rest / j->pairs), pair = (int)(rest % j->pairs);
    const int blocks = (v->out_per_group + TPUC_LANES - 1) / TPUC_LANES;
    const int strip = pair * j->joined, after = least(strip + j->joined, v->strips);
    const int first = v->strip[strip], middle = v->strip[strip + 1], last = v->strip[after];
    const int64_t from = j->pixels * number / j->pieces, to = j->pixels * (number + 1) / j->pieces;
    piece p;
    for (int64_t i = from; i < to; i++) {
        p.in[i - from] = input_of(j, i) + (ptrdiff_t)group * v->in_per_group;
        p.out[i - from] = output_of(j, i) + (ptrdiff_t)group * v->out_per_group + first * TPUC_LANES;
    }
    const ptrdiff_t block = (ptrdiff_t)v->terms * TPUC_LANES, start = (ptrdiff_t)group * blocks;
    tpuc_sparse_segment t = {.in = p.in, .some = p.some, .pixels = (int32_t)(to - from)};
    t.width[0] = middle - first, t.width[1] = last - middle;
    t.weights[0] = v->weights + (start + first) * block;
    t.weights[1] = t.width[1] ? v->weights + (start + middle) * block : t.weights[0];
    tpuc_sparse_end end = {.out = p.out, .pixels = t.pixels, .width = last - first, .end = v->end};
    end.bias = v->bias + (start + first) * TPUC_LANES;
    end.last = last == blocks ? v->out_per_group - (blocks - 1) * TPUC_LANES : TPUC_LANES;
    find_terms(j, &p, t.pixels);
    end.sum = sum_up(j, &p, &t);
    j->loops->finish(&end);
}

void tpuc_float_sparse_run(const tpuc_float_conv *v, const tpuc_image *in, const tpuc_image *out,
                           int threads) {
    job j = {.conv = v, .in = in, .out = out, .loops = choose()};
    j.joined = tpuc_cpu_isa() == TPUC_ISA_VNNI ? 2 : 1;
    j.pairs = (v->strips + j.joined - 1) / j.joined;
    j.pixels = (int64_t)out->n * out->h * out->w;
    int segments = 0;
    for (int chunk = 0, first = 0; chunk < v->chunks; chunk++)
        for (; first < v->chunk_end[chunk]; segments++) first = segment_end(v, first, chunk);
    const int most = least(TPUC_SPARSE_PIXELS, MOST_WORDS / segments);
    j.pieces = (j.pixels + most - 1) / most;
    tpuc_parallel(threads, j.pieces * v->groups * j.pairs, run_item, &j);
}

/* Costs in steps of one block: a term that is not 0 has a load of its input besides; of a term of
 * conv.h a tenth more. Few blocks wait for one another's sums. */
int tpuc_float_sparse_pays(const tpuc_float_conv *v, const tpuc_image *in, const tpuc_image *out) {
    const int blocks = (v->out_per_group + TPUC_LANES - 1) / TPUC_LANES, groups = v->groups;
    if (!v->skips || blocks < 4 || v->terms < 32 || v->terms > 1 << 14) return 0;
    const job j = {.conv = v, .in = in, .out = out, .loops = choose()};
    const int64_t pixels = (int64_t)out->n * out->h * out->w;
    const int64_t sampled = pixels < SAMPLED ? pixels : SAMPLED;
    int64_t found = 0;
    for (int64_t i = 0; i < sampled; i++) {
        const float *x = input_of(&j, pixels * i / sampled);
        for (int at = 0; at < v->in_per_group; at += TPUC_SPARSE_TERMS)
            found += __builtin_popcountll(
                j.loops->some(x + at, least(TPUC_SPARSE_TERMS, v->in_per_group - at)));
    }
    return groups && 10 * found < 7 * sampled * v->in_per_group;
}
