/* Windowed maximum and average of int8 images.
 *
 *     Max:  y = max over the window's pixels inside the picture
 *     Avg:  v = sum over them (all of the window where padding counts as zeros), or
 *           v = round(float32(sum / count) * float32(area)), halves away or up, where
 *           padding does not count
 *     y = (v * m + h) >> s,   h = 2^(s-1), 0 if s = 0
 *     stored byte = clamp(y + zero, low, 255)
 * affine average: y = round(float32(sum of stored integers / area) * area * scale + offset), halves
 *     away, padding being zero points; stored byte = clamp(y + bias, low, 255)
 *
 * Ranges, checked by the caller: |m| < 2^31, 0 <= s <= 32, y fits int32; a window holds at most
 * 2^22 pixels. */
#ifndef TPUC_POOL_H
#define TPUC_POOL_H

#include "image.h"

typedef struct {
    int32_t maximum, exclude_pad; /* flags; exclude_pad 2: halves up */
    int32_t kernel_h, kernel_w, stride_h, stride_w, top, left;
    int32_t multiplier, rshift, low, affine;
    double scale, offset;
} tpuc_pool;

/* One window: its pixels inside the picture. */
typedef struct {
    const uint8_t *in;
    uint8_t *out;
    ptrdiff_t row, pixel;
    int32_t rows, columns, channels, in_zero, zero, in_bias, bias;
} tpuc_window;

typedef void (*tpuc_window_function)(const tpuc_pool *pool, const tpuc_window *window);

void tpuc_window_portable(const tpuc_pool *pool, const tpuc_window *window);
void tpuc_window_avx2(const tpuc_pool *pool, const tpuc_window *window);
void tpuc_window_vnni(const tpuc_pool *pool, const tpuc_window *window);

void tpuc_pool_run(const tpuc_pool *pool, const tpuc_image *in, const tpuc_image *out, int threads);

#endif
