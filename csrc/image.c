#include "image.h"

#include <string.h>

#include "parallel.h"

typedef struct {
    const tpuc_image *image;
    void *plain;
    float factor;
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
    const uint8_t *from = (const uint8_t *)j->plain + plain_of(m, item), mask = (uint8_t)m->zero;
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
    const uint8_t *from = row_of(m, item), mask = (uint8_t)m->zero;
    uint8_t *to = (uint8_t *)j->plain + plain_of(m, item);
    for (int c = 0; c < m->c; c++)
        for (int x = 0; x < m->w; x++) to[c * plane + x] = from[x * m->pixel + c] ^ mask;
}

void tpuc_image_store(const tpuc_image *m, uint8_t *plain, int threads) {
    const job j = {.image = m, .plain = plain};
    tpuc_parallel(threads, (int64_t)m->n * m->h, store_item, &j);
}

/* Saturate, then round: halves away from zero. The difference is exact. */
static inline uint8_t quantized(float v, float low, float high, int zero) {
    v = v == v ? v : 0.0f;
    v = v < low ? low : v;
    v = v > high ? high : v;
    const int whole = (int)v;
    const float rest = v - (float)whole;
    return (uint8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f) + zero);
}

enum { RUN = 256 };

/* Quantize runs of a row, then scatter them: the first loop is a vector loop. */
static void quantize_item(const void *context, int64_t item) {
    const job *j = context;
    const tpuc_image *m = j->image;
    const int zero = m->zero;
    const float low = (float)-zero, high = (float)(255 - zero), factor = j->factor;
    uint8_t *to = row_of(m, item);
    for (int c = 0; c < m->c; c++) {
        const float *from = (const float *)j->plain + plain_of(m, item) + (ptrdiff_t)c * m->h * m->w;
        for (int x0 = 0; x0 < m->w; x0 += RUN) {
            uint8_t line[RUN];
            const int count = m->w - x0 < RUN ? m->w - x0 : RUN;
            for (int i = 0; i < count; i++) line[i] = quantized(from[x0 + i] * factor, low, high, zero);
            for (int i = 0; i < count; i++) to[(x0 + i) * m->pixel + c] = line[i];
        }
    }
}

void tpuc_image_quantize(const tpuc_image *m, const float *plain, float inverse, int threads) {
    const job j = {.image = m, .plain = (void *)plain, .factor = inverse};
    tpuc_parallel(threads, (int64_t)m->n * m->h, quantize_item, &j);
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
}

void tpuc_image_dequantize(const tpuc_image *m, float *plain, float scale, int threads) {
    const job j = {.image = m, .plain = plain, .factor = scale};
    tpuc_parallel(threads, (int64_t)m->n * m->h, dequantize_item, &j);
}
