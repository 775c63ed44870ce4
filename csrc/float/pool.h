/* Windowed maximum and average of float images.
 *
 *     Max:  v = max over the window's pixels inside the picture; NaN if one is NaN
 *     Avg:  v = sum / area, the sum in the order of rows, then columns; where padding does not
 *           count, area is the number of pixels inside the picture */
#ifndef TPUC_FLOAT_POOL_H
#define TPUC_FLOAT_POOL_H

#include "../image.h"
#include "end.h"

typedef struct {
    int32_t maximum, exclude_pad; /* flags */
    int32_t kernel_h, kernel_w, stride_h, stride_w, top, left;
    tpuc_float_end end;
} tpuc_float_pool;

/* One window: its pixels inside the picture; strides in numbers. */
typedef struct {
    const float *in;
    float *out;
    ptrdiff_t row, pixel;
    int32_t rows, columns, channels;
} tpuc_float_window;

typedef void (*tpuc_float_window_function)(const tpuc_float_pool *, const tpuc_float_window *);

void tpuc_float_window_portable(const tpuc_float_pool *pool, const tpuc_float_window *window);
void tpuc_float_window_avx2(const tpuc_float_pool *pool, const tpuc_float_window *window);
void tpuc_float_window_vnni(const tpuc_float_pool *pool, const tpuc_float_window *window);

void tpuc_float_pool_run(const tpuc_float_pool *pool, const tpuc_image *in, const tpuc_image *out,
                         int threads);

#endif
