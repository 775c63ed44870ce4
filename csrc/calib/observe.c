#include "calib/observe.h"

#include "cpu.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__)
/* The loader picks the widest version that the machine can run. */
#define TPUC_CLONES __attribute__((target_clones("default", "avx2", "arch=skylake-avx512")))
#else
#define TPUC_CLONES
#endif

enum { CHUNK = 1024 };

TPUC_CLONES void tpuc_observe(const float *x, int64_t n, double *out) {
    float low = INFINITY, high = -INFINITY;
    double sum = 0.0, absolute = 0.0;
    int64_t nonzero = 0, finite = 1;
    for (int64_t start = 0; start < n; start += CHUNK) {
        int64_t end = start + CHUNK < n ? start + CHUNK : n;
        float lo = INFINITY, hi = -INFINITY, s = 0.0f, a = 0.0f;
        int32_t nz = 0, bad = 0;
#pragma omp simd reduction(min : lo) reduction(max : hi) reduction(+ : s, a, nz, bad)
        for (int64_t i = start; i < end; i++) {
            float v = x[i];
            lo = v < lo ? v : lo;
            hi = v > hi ? v : hi;
            s += v;
            a += fabsf(v);
            nz += v != 0.0f;
            bad += !(fabsf(v) <= 3.402823466e38f);
        }
        low = lo < low ? lo : low;
        high = hi > high ? hi : high;
        sum += s;
        absolute += a;
        nonzero += nz;
        finite &= bad == 0;
    }
    out[0] = n ? low : 0.0;
    out[1] = n ? high : 0.0;
    out[2] = sum;
    out[3] = absolute;
    out[4] = (double)nonzero;
    out[5] = (double)finite;
}

/* Equal numbers come in runs (zeros, clipped ones): several histograms side by side keep one
 * increment from waiting for the one before. Index `bins` collects what is not counted. */
enum { SIDES = 4, SIDE_BINS = 8192 };

static void count_few(const int32_t *index, int32_t size, int32_t *sides, int64_t bins) {
    int32_t *a = sides, *b = a + bins + 1, *c = b + bins + 1, *d = c + bins + 1;
    int32_t i = 0;
    for (; i + SIDES <= size; i += SIDES) {
        a[index[i]]++;
        b[index[i + 1]]++;
        c[index[i + 2]]++;
        d[index[i + 3]]++;
    }
    for (; i < size; i++) a[index[i]]++;
}

TPUC_CLONES static void find_bins(const float *x, int32_t size, float width, int32_t bins,
                                  int32_t *index) {
    const float limit = (float)bins;
#pragma omp simd
    for (int32_t i = 0; i < size; i++) {
        const float v = fabsf(x[i]) / width + 0.5f;
        const int32_t at = v < limit ? (int32_t)v : bins; /* truncation is floor: v is positive */
        index[i] = x[i] == 0.0f ? bins : at;
    }
}

void tpuc_abs_histogram(const float *x, int64_t n, float width, int64_t *counts, int64_t bins) {
    int32_t index[CHUNK];
    int32_t sides[SIDES * (SIDE_BINS + 1)];
    const int few = bins <= SIDE_BINS;
    if (few) memset(sides, 0, SIDES * (size_t)(bins + 1) * sizeof *sides);
    for (int64_t start = 0; start < n; start += CHUNK) {
        const int32_t size = (int32_t)(start + CHUNK < n ? CHUNK : n - start);
        find_bins(x + start, size, width, (int32_t)bins, index);
        if (few) {
            count_few(index, size, sides, bins);
        } else {
            for (int32_t i = 0; i < size; i++)
                if (index[i] < bins) counts[index[i]]++;
        }
    }
    for (int64_t i = 0; few && i < bins; i++)
        for (int64_t side = 0; side < SIDES; side++) counts[i] += sides[side * (bins + 1) + i];
}

#if defined(__x86_64__)
#include <immintrin.h>

/* take_above in whole vectors; returns how many numbers it looked at. What it writes ends at or
 * before what it has read. */
__attribute__((target("avx512f,popcnt"))) static int64_t take_vectors(
    const float *x, int64_t n, float bound, float *kept, int64_t *many, double *sum) {
    const __m512 least = _mm512_set1_ps(bound);
    __m512d total = _mm512_setzero_pd();
    int64_t m = 0, i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512 v = _mm512_abs_ps(_mm512_loadu_ps(x + i));
        const __mmask16 above = _mm512_cmp_ps_mask(v, least, _CMP_GT_OQ);
        const __m512 some = _mm512_maskz_compress_ps(above, v);
        _mm512_storeu_ps(kept + m, some);
        m += _mm_popcnt_u32(above);
        total = _mm512_add_pd(total, _mm512_cvtps_pd(_mm512_castps512_ps256(some)));
        total = _mm512_add_pd(total, _mm512_cvtps_pd(_mm256_castpd_ps(
                                         _mm512_extractf64x4_pd(_mm512_castps_pd(some), 1))));
    }
    *many = m;
    *sum = _mm512_reduce_add_pd(total);
    return i;
}
#endif

/* Sum and number of |x| above `bound`; those are also written to `kept`, which may be x itself. */
static double take_above(const float *x, int64_t n, float bound, float *kept, int64_t *many) {
    double sum = 0.0;
    int64_t m = 0, i = 0;
#if defined(__x86_64__)
    if (tpuc_cpu_isa() >= TPUC_ISA_VNNI) i = take_vectors(x, n, bound, kept, &m, &sum);
#endif
    for (; i < n; i++) {
        const float v = fabsf(x[i]);
        kept[m] = v;
        m += v > bound;
        sum += v > bound ? v : 0.0;
    }
    *many = m;
    return sum;
}

double tpuc_octav(const float *x, int64_t n, double s, double quarter, float *scratch) {
    const float *from = x;
    int64_t left = n;
    for (int step = 0; step < 20; step++) {
        int64_t many;
        const double above = take_above(from, left, (float)s, scratch, &many);
        const double next = above / ((double)(n - many) * quarter + (double)many);
        if (fabs(next - s) < 1e-6) break;
        /* A larger scale looks only at what was above the last one. */
        from = next >= s ? scratch : x;
        left = next >= s ? many : n;
        s = next;
    }
    return s;
}

TPUC_CLONES double tpuc_absolute_deviation(const float *x, int64_t n, float mean) {
    double total = 0.0;
    for (int64_t start = 0; start < n; start += CHUNK) {
        int64_t end = start + CHUNK < n ? start + CHUNK : n;
        float a = 0.0f;
#pragma omp simd reduction(+ : a)
        for (int64_t i = start; i < end; i++) a += fabsf(x[i] - mean);
        total += a;
    }
    return total;
}

TPUC_CLONES void tpuc_similarity(const float *a, const float *b, int64_t n, double *out) {
    double ab = 0.0, aa = 0.0, bb = 0.0, sa = 0.0, sn = 0.0, nn = 0.0;
#pragma omp simd reduction(+ : ab, aa, bb, sa, sn, nn)
    for (int64_t i = 0; i < n; i++) {
        double x = a[i], y = b[i], d = x - y;
        ab += x * y;
        aa += x * x;
        bb += y * y;
        sa += x;
        sn += d;
        nn += d * d;
    }
    out[0] = ab, out[1] = aa, out[2] = bb, out[3] = sa, out[4] = sn, out[5] = nn;
}

TPUC_CLONES double tpuc_squared_distance(const float *a, const float *b, int64_t n) {
    double nn = 0.0;
#pragma omp simd reduction(+ : nn)
    for (int64_t i = 0; i < n; i++) {
        double x = a[i], y = b[i], d = x - y;
        nn += d * d;
    }
    return nn;
}

TPUC_CLONES void tpuc_fake_quantize(const float *x, int64_t n, float scale, float *out) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float q = rintf(x[i] * scale);
        q = q > 127.0f ? 127.0f : q;
        q = q < -128.0f ? -128.0f : q;
        out[i] = q / scale;
    }
}

/* The order and the float32 roundings below are TPU-MLIR's: near-ties depend on them. */
int64_t tpuc_kl_search(const int64_t *counts, int64_t n, int64_t group, float *p, float *q) {
    double total = 0.0;
    for (int64_t i = 0; i < n; i++) total += (double)counts[i];
    float all = (float)total;
    int64_t best = 0;
    float least = INFINITY;
    for (int64_t i = group; i <= n; i += group) {
        int64_t width = i / group;
        float sum = 0.0f, tail = 0.0f;
        for (int64_t j = 0; j < i; j++) sum += (float)counts[j];
        for (int64_t j = i - 1; j < n; j++) tail += (float)counts[j];
        for (int64_t j = 0; j < i - 1; j++) p[j] = (float)counts[j] / all;
        p[i - 1] = tail / all;
        memset(q, 0, (size_t)i * sizeof *q);
        for (int64_t g = 0; g < group; g++) {
            float mass = 0.0f;
            int64_t filled = 0;
            for (int64_t j = g * width; j < (g + 1) * width; j++) {
                mass += (float)counts[j];
                filled += counts[j] != 0;
            }
            float share = mass / (float)(filled ? filled : 1) / sum;
            for (int64_t j = g * width; j < (g + 1) * width; j++)
                if (counts[j]) q[j] = share;
        }
        float divergence = 0.0f;
        for (int64_t j = 0; j < i; j++)
            if (p[j] != 0.0f)
                divergence = (float)((double)divergence +
                                     (double)p[j] * (log10((double)p[j] + 1e-30) -
                                                     log10((double)q[j] + 1e-30)));
        if (divergence < least) {
            least = divergence;
            best = width - 1;
        }
    }
    return best;
}
