/* The tracks of along.h, compiled once per instruction set under the name ALONG. */
#include "along.h"
#include "exp.h"
#include "lanes.h"

LANES lanes exp_of(lanes v) {
    float x[TPUC_LANES], y[TPUC_LANES];
    lanes_store(x, v);
    for (int i = 0; i < TPUC_LANES; i++) y[i] = (float)tpuc_exp((double)x[i]);
    return lanes_load(y);
}

LANES lanes larger(lanes a, lanes b) { return lanes_if_nan(a, a, lanes_max(a, b)); }

#define AT(x) lanes_load(t->in + (x) * t->in_pixel)
#define PUT(x, v) lanes_store_some(t->out + (x) * t->out_pixel, v, t->channels)

static void softmax(const tpuc_float_along *f, const tpuc_float_track *t) {
    lanes most = AT(0), sum = lanes_set(0.0f);
    for (int x = 1; x < t->count; x++) most = larger(most, AT(x));
    for (int x = 0; x < t->count; x++) {
        const lanes e = exp_of(lanes_sub(AT(x), most));
        sum = lanes_add(sum, e);
        PUT(x, e);
    }
    for (int x = 0; x < t->count; x++) {
        const lanes e = lanes_load_some(t->out + x * t->out_pixel, t->channels);
        PUT(x, lanes_finish(lanes_div(e, sum), &f->end));
    }
}

/* `count` neighbouring numbers. */
static void softmax_of_channels(const tpuc_float_along *f, const tpuc_float_track *t) {
    float most = t->in[0], sum = 0.0f;
    for (int i = 1; i < t->count; i++) {
        const float x = t->in[i];
        most = x > most || x != x ? x : most;
    }
    for (int i = 0; i < t->count; i += TPUC_LANES) {
        const int n = t->count - i < TPUC_LANES ? t->count - i : TPUC_LANES;
        const lanes x = lanes_load_some(t->in + i, n);
        lanes_store_some(t->out + i, exp_of(lanes_sub(x, lanes_set(most))), n);
    }
    for (int i = 0; i < t->count; i++) sum += t->out[i];
    for (int i = 0; i < t->count; i += TPUC_LANES) {
        const int n = t->count - i < TPUC_LANES ? t->count - i : TPUC_LANES;
        const lanes y = lanes_div(lanes_load_some(t->out + i, n), lanes_set(sum));
        lanes_store_some(t->out + i, lanes_finish(y, &f->end), n);
    }
}

LANES lanes weighted(const tpuc_float_along *f, lanes v, int x) {
    if (f->weight) v = lanes_mul(v, lanes_set(f->weight[x]));
    if (f->bias) v = lanes_add(v, lanes_set(f->bias[x]));
    return lanes_finish(v, &f->end);
}

LANES lanes root(const tpuc_float_along *f, lanes squares, lanes size) {
    return lanes_sqrt(lanes_add(lanes_div(squares, size), lanes_set(f->eps)));
}

static void layer_norm(const tpuc_float_along *f, const tpuc_float_track *t) {
    const lanes size = lanes_set((float)t->count);
    lanes sum = lanes_set(0.0f), squares = lanes_set(0.0f);
    for (int x = 0; x < t->count; x++) sum = lanes_add(sum, AT(x));
    const lanes mean = lanes_div(sum, size);
    for (int x = 0; x < t->count; x++) {
        const lanes d = lanes_sub(AT(x), mean);
        squares = lanes_add(squares, lanes_mul(d, d));
    }
    const lanes inverse = lanes_div(lanes_set(1.0f), root(f, squares, size));
    for (int x = 0; x < t->count; x++)
        PUT(x, weighted(f, lanes_mul(lanes_sub(AT(x), mean), inverse), x));
}

static void rms_norm(const tpuc_float_along *f, const tpuc_float_track *t) {
    lanes squares = lanes_set(0.0f);
    for (int x = 0; x < t->count; x++) squares = lanes_add(squares, lanes_mul(AT(x), AT(x)));
    const lanes deviation = root(f, squares, lanes_set((float)t->count));
    for (int x = 0; x < t->count; x++) PUT(x, weighted(f, lanes_div(AT(x), deviation), x));
}

static void sum(const tpuc_float_along *f, const tpuc_float_track *t) {
    lanes total = lanes_set(0.0f);
    for (int y = 0; y < f->rows; y++)
        for (int x = 0; x < t->count; x++)
            total = lanes_add(total, lanes_load(t->in + y * t->in_row + x * t->in_pixel));
    PUT(0, lanes_finish(lanes_mul(total, lanes_set(f->factor)), &f->end));
}

/* `channels` pixels of `count` numbers each. */
static void sum_of_channels(const tpuc_float_along *f, const tpuc_float_track *t) {
    float total[TPUC_LANES] = {0.0f};
    for (int i = 0; i < t->channels; i++) total[i] = t->in[i * t->in_pixel];
    for (int c = 1; c < t->count; c++)
        for (int i = 0; i < t->channels; i++) total[i] += t->in[i * t->in_pixel + c];
    const lanes y = lanes_mul(lanes_load(total), lanes_set(f->factor));
    lanes_store_some(t->out, lanes_finish(y, &f->end), t->channels);
}

void ALONG(const tpuc_float_along *f, const tpuc_float_track *t) {
    switch (f->kind) {
        case TPUC_SOFTMAX: softmax(f, t); break;
        case TPUC_SOFTMAX_CHANNELS: softmax_of_channels(f, t); break;
        case TPUC_LAYER_NORM: layer_norm(f, t); break;
        case TPUC_RMS_NORM: rms_norm(f, t); break;
        case TPUC_SUM: sum(f, t); break;
        case TPUC_SUM_CHANNELS: sum_of_channels(f, t); break;
    }
}
