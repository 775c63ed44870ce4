/* The loops of pool.h in plain C, compiled once per instruction set under the name WINDOW. */
#include <math.h>

#include "pool.h"

enum { STRIP = 64 };

static void maximum(const tpuc_pool *p, const tpuc_window *t, int from, int count) {
    uint8_t best[STRIP] = {0};
    for (int y = 0; y < t->rows; y++)
        for (int x = 0; x < t->columns; x++) {
            const uint8_t *in = t->in + y * t->row + x * t->pixel + from;
            for (int c = 0; c < count; c++) best[c] = in[c] > best[c] ? in[c] : best[c];
        }
    for (int c = 0; c < count; c++) {
        int32_t y = best[c] - t->in_zero + t->zero;
        y = y < p->low ? p->low : y;
        t->out[from + c] = (uint8_t)(y > 255 ? 255 : y);
    }
}

static void affine(const tpuc_pool *p, const tpuc_window *t, int from, int count) {
    int32_t sum[STRIP] = {0};
    for (int y = 0; y < t->rows; y++)
        for (int x = 0; x < t->columns; x++) {
            const uint8_t *in = t->in + y * t->row + x * t->pixel + from;
            for (int c = 0; c < count; c++) sum[c] += in[c];
        }
    const int32_t size = p->kernel_h * p->kernel_w;
    const int32_t rest = (size - t->rows * t->columns) * t->in_zero - size * t->in_bias;
    const double area = (double)size;
    for (int c = 0; c < count; c++) {
        const float mean = (float)((double)(sum[c] + rest) / area);
        const double y = round((double)mean * area * p->scale + p->offset) + t->bias;
        t->out[from + c] = (uint8_t)(y < p->low ? p->low : y > 255 ? 255 : y);
    }
}

static void average(const tpuc_pool *p, const tpuc_window *t, int from, int count) {
    int32_t sum[STRIP] = {0};
    for (int y = 0; y < t->rows; y++)
        for (int x = 0; x < t->columns; x++) {
            const uint8_t *in = t->in + y * t->row + x * t->pixel + from;
            for (int c = 0; c < count; c++) sum[c] += in[c];
        }
    const int32_t pixels = t->rows * t->columns, less = pixels * t->in_zero;
    const int64_t half = p->rshift > 0 ? (int64_t)1 << (p->rshift - 1) : 0;
    const float area = (float)(p->kernel_h * p->kernel_w);
    for (int c = 0; c < count; c++) {
        int32_t v = sum[c] - less;
        if (p->exclude_pad) {
            const float whole = (float)((double)v / (double)pixels) * area;
            v = (int32_t)(p->exclude_pad == 2 ? floor((double)whole + 0.5) : round((double)whole));
        }
        const int64_t y = (((int64_t)v * p->multiplier + half) >> p->rshift) + t->zero;
        t->out[from + c] = (uint8_t)(y < p->low ? p->low : y > 255 ? 255 : y);
    }
}

void WINDOW(const tpuc_pool *p, const tpuc_window *t) {
    for (int from = 0; from < t->channels; from += STRIP) {
        const int left = t->channels - from;
        if (p->maximum) maximum(p, t, from, left < STRIP ? left : STRIP);
        else if (p->affine) affine(p, t, from, left < STRIP ? left : STRIP);
        else average(p, t, from, left < STRIP ? left : STRIP);
    }
}
