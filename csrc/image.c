#define QUANTIZE tpuc_quantize_portable
#include "quantize_body.h"

#include <string.h>

#include "cpu.h"
#include "parallel.h"

typedef struct {
    const tpuc_image *image;
    void *plain;
    float factor;
    int flag; /* even, or brief */
} job;

/* Item of all loops but the first: one row of one picture. */
static uint8_t *row_of(const tpuc_image *m, int64_t item) {
    return m->data + item / m->h * m->image + item % m->h * m->row;
}

/* Its first element in NCHW, channel 0. */
static ptrdiff_t plain_of(const tpuc_image *m, int64_t item) {
    return (ptrdiff_t)(item / m->h * m->c * m->h + item % m->h) * m->w;
}

static void fill_item(const void *context, int64_t item) {
    const tpuc_image *m = ((const job *)context)->image;
    const size_t left = (size_t)(m->left * m->pixel), right = (size_t)(m->right * m->pixel);
    const int rows = m->top + m->h + m->bottom, y = (int)(item % rows) - m->top;
    uint8_t *start = m->data + item / rows * m->image + y * m->row;
    if (y < 0 || y >= m->h) {
        memset(start - left, m->zero, left + right + (size_t)(m->w * m->pixel));
    } else {
        memset(start - left, m->zero, left);
        memset(start + m->w * m->pixel, m->zero, right);
    }
}

void tpuc_image_fill_halo(const tpuc_image *m, int threads) {
    const job j = {.image = m};
    const int64_t rows = (int64_t)m->n * (m->top + m->h + m->bottom);
    if (m->top | m->left | m->bottom | m->right)
        tpuc_parallel(rows < 512 ? 1 : threads, rows, fill_item, &j);
}

static void load_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *m = j->image;
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
    const uint8_t *from = (const uint8_t *)j->plain + plain_of(m, item), mask = (uint8_t)m->bias;
    uint8_t *to = row_of(m, item);
    for (int c = 0; c < m->c; c++)
        for (int x = 0; x < m->w; x++) to[x * m->pixel + c] = from[c * plane + x] ^ mask;
}

void tpuc_image_load(const tpuc_image *m, const uint8_t *plain, int threads) {
    const job j = {.image = m, .plain = (void *)plain};
    tpuc_parallel(threads, (int64_t)m->n * m->h, load_item, &j);
}

static void store_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *m = j->image;
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
    const uint8_t *from = row_of(m, item), mask = (uint8_t)m->bias;
    uint8_t *to = (uint8_t *)j->plain + plain_of(m, item);
    for (int c = 0; c < m->c; c++)
        for (int x = 0; x < m->w; x++) to[c * plane + x] = from[x * m->pixel + c] ^ mask;
}

void tpuc_image_store(const tpuc_image *m, uint8_t *plain, int threads) {
    const job j = {.image = m, .plain = plain};
    tpuc_parallel(threads, (int64_t)m->n * m->h, store_item, &j);
}

static tpuc_quantize_function choose(void) {
#if defined(__x86_64__)
    if (tpuc_cpu_isa() == TPUC_ISA_VNNI) return tpuc_quantize_vnni;
    if (tpuc_cpu_isa() == TPUC_ISA_AVX2) return tpuc_quantize_avx2;
#endif
    return tpuc_quantize_portable;
}

enum { RUN = 256, FEW = 4 };

/* Pixels of four bytes are written whole. */
static void interleave4(const uint8_t line[FEW][RUN], uint8_t *to, int count) {
    for (int i = 0; i < count; i++) {
        to[4 * i] = line[0][i];
        to[4 * i + 1] = line[1][i];
        to[4 * i + 2] = line[2][i];
        to[4 * i + 3] = line[3][i];
    }
}

/* Quantize runs of a row, a few channels at a time, then scatter them. */
static void quantize_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *m = j->image;
    const tpuc_quantize_function function = choose();
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
    const float *from = (const float *)j->plain + plain_of(m, item);
    uint8_t *row = row_of(m, item), line[FEW][RUN] = {{0}};
    for (int c0 = 0; c0 < m->c; c0 += FEW) {
        const int channels = m->c - c0 < FEW ? m->c - c0 : FEW;
        for (int x0 = 0; x0 < m->w; x0 += RUN) {
            const int count = m->w - x0 < RUN ? m->w - x0 : RUN;
            uint8_t *to = row + x0 * m->pixel + c0;
            for (int c = 0; c < channels; c++)
                function(from + (c0 + c) * plane + x0, j->factor, m->zero, j->flag, line[c], count);
            if (m->pixel == FEW) {
                interleave4(line, to, count);
                continue;
            }
            for (int i = 0; i < count; i++)
                for (int c = 0; c < channels; c++) to[i * m->pixel + c] = line[c][i];
        }
    }
}

void tpuc_image_quantize(const tpuc_image *m, const float *plain, float inverse, int even,
                         int threads) {
    const job j = {.image = m, .plain = (void *)plain, .factor = inverse, .flag = even};
    tpuc_parallel(threads, (int64_t)m->n * m->h, quantize_item, &j);
}

/* Nearest even of the upper 16 bits; the products of bytes are finite. */
static inline float brief(float v) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    bits = (bits + 0x7FFFu + (bits >> 16 & 1u)) & 0xFFFF0000u;
    memcpy(&v, &bits, 4);
    return v;
}

static void dequantize_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *m = j->image;
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
    const uint8_t *from = row_of(m, item);
    float *to = (float *)j->plain + plain_of(m, item);
    for (int c = 0; c < m->c; c++)
        for (int x = 0; x < m->w; x++)
            to[c * plane + x] = j->factor * (float)((int)from[x * m->pixel + c] - m->zero);
    if (!j->flag) return;
    for (int c = 0; c < m->c; c++)
        for (int x = 0; x < m->w; x++) to[c * plane + x] = brief(to[c * plane + x]);
}

void tpuc_image_dequantize(const tpuc_image *m, float *plain, float scale, int brief, int threads) {
    const job j = {.image = m, .plain = plain, .factor = scale, .flag = brief};
    tpuc_parallel(threads, (int64_t)m->n * m->h, dequantize_item, &j);
}
