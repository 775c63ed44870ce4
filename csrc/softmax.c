#include "softmax.h"

#include "parallel.h"

typedef struct {
    const float *table;
    const tpuc_image *in, *out;
    float scale;
    int low;
} job;

static uint8_t most(const uint8_t *x, int count) {
    uint8_t found = 0;
    for (int c = 0; c < count; c++) found = x[c] > found ? x[c] : found;
    return found;
}

/* One pixel. Numbers are not negative: what is left after the whole part rounds up from a half. */
static void pixel(const job *j, const uint8_t *x, uint8_t *y) {
    const int count = j->in->c, zero = j->out->zero, low = j->low;
    const float *below = j->table + most(x, count);
    float total = 0.0f;
    for (int c = 0; c < count; c++) total += below[-(int)x[c]];
    const float divisor = total * j->scale;
    for (int c = 0; c < count; c++) {
        float v = below[-(int)x[c]] / divisor;
        v = v < 256.0f ? v : 256.0f;
        const int whole = (int)v, rounded = whole + (v - (float)whole >= 0.5f) + zero;
        y[c] = (uint8_t)(rounded < low ? low : rounded > 255 ? 255 : rounded);
    }
}

/* Item: one row of one picture. */
static void run_item(const void *context, int64_t item) {
    const job *j = context;
    const ptrdiff_t n = item / j->out->h, y = item % j->out->h;
    const uint8_t *from = j->in->data + n * j->in->image + y * j->in->row;
    uint8_t *to = j->out->data + n * j->out->image + y * j->out->row;
    for (int x = 0; x < j->out->w; x++) pixel(j, from + x * j->in->pixel, to + x * j->out->pixel);
}

void tpuc_softmax_run(const float *table, float scale, const tpuc_image *in, const tpuc_image *out,
                      int low, int threads) {
    const job j = {table, in, out, scale, low};
    tpuc_parallel(threads, (int64_t)out->n * out->h, run_item, &j);
}
