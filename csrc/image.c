#include "image.h"

#include <string.h>

void tpuc_image_fill_halo(const tpuc_image *m, int threads) {
    const size_t side_l = (size_t)(m->left * m->pixel), side_r = (size_t)(m->right * m->pixel);
    const size_t whole = side_l + side_r + (size_t)(m->w * m->pixel);
    const int rows = m->top + m->h + m->bottom;
    if (!(m->top | m->left | m->bottom | m->right)) return;
#pragma omp parallel for num_threads(threads) schedule(static) if (m->n * m->h > 512)
    for (int i = 0; i < m->n * rows; i++) {
        const int y = i % rows - m->top;
        uint8_t *start = m->data + (i / rows) * m->image + y * m->row;
        if (y < 0 || y >= m->h) {
            memset(start - side_l, m->zero, whole);
        } else {
            memset(start - side_l, m->zero, side_l);
            memset(start + m->w * m->pixel, m->zero, side_r);
        }
    }
}

/* Which end of the bias flips: 0x80 for signed tensors. */
static inline uint8_t flip(const tpuc_image *m) { return (uint8_t)m->zero; }

void tpuc_image_load(const tpuc_image *m, const uint8_t *plain, int threads) {
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
    const uint8_t mask = flip(m);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int i = 0; i < m->n * m->h; i++) {
        const uint8_t *from = plain + (i / m->h) * plane * m->c + (ptrdiff_t)(i % m->h) * m->w;
        uint8_t *to = m->data + (i / m->h) * m->image + (i % m->h) * m->row;
        for (int c = 0; c < m->c; c++)
            for (int x = 0; x < m->w; x++) to[x * m->pixel + c] = from[c * plane + x] ^ mask;
    }
}

void tpuc_image_store(const tpuc_image *m, uint8_t *plain, int threads) {
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
    const uint8_t mask = flip(m);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int i = 0; i < m->n * m->h; i++) {
        uint8_t *to = plain + (i / m->h) * plane * m->c + (ptrdiff_t)(i % m->h) * m->w;
        const uint8_t *from = m->data + (i / m->h) * m->image + (i % m->h) * m->row;
        for (int c = 0; c < m->c; c++)
            for (int x = 0; x < m->w; x++) to[c * plane + x] = from[x * m->pixel + c] ^ mask;
    }
}

/* round(v) for any float, halves away from zero, after saturation to the tensor's range. */
static inline uint8_t quantized(float v, float low, float high, int zero) {
    v = v < low ? low : v;
    v = v > high ? high : v;
    const int whole = (int)v;
    const float rest = v - (float)whole; /* exact */
    return (uint8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f) + zero);
}

void tpuc_image_quantize(const tpuc_image *m, const float *plain, float inverse, int threads) {
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
    const int zero = m->zero;
    const float low = (float)-zero, high = (float)(255 - zero);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int i = 0; i < m->n * m->h; i++) {
        const float *from = plain + (i / m->h) * plane * m->c + (ptrdiff_t)(i % m->h) * m->w;
        uint8_t *to = m->data + (i / m->h) * m->image + (i % m->h) * m->row;
        for (int c = 0; c < m->c; c++) {
            for (int x0 = 0; x0 < m->w; x0 += 256) { /* quantize a vector at a time, then scatter */
                uint8_t line[256];
                const int count = m->w - x0 < 256 ? m->w - x0 : 256;
                const float *x = from + c * plane + x0;
                for (int j = 0; j < count; j++) {
                    const float v = x[j] * inverse;
                    line[j] = quantized(v == v ? v : 0.0f, low, high, zero);
                }
                for (int j = 0; j < count; j++) to[(x0 + j) * m->pixel + c] = line[j];
            }
        }
    }
}

void tpuc_image_dequantize(const tpuc_image *m, float *plain, float scale, int threads) {
    const ptrdiff_t plane = (ptrdiff_t)m->h * m->w;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int i = 0; i < m->n * m->h; i++) {
        float *to = plain + (i / m->h) * plane * m->c + (ptrdiff_t)(i % m->h) * m->w;
        const uint8_t *from = m->data + (i / m->h) * m->image + (i % m->h) * m->row;
        for (int c = 0; c < m->c; c++)
            for (int x = 0; x < m->w; x++)
                to[c * plane + x] = scale * (float)((int)from[x * m->pixel + c] - m->zero);
    }
}
