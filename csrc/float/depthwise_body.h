/* The line of depthwise.h, compiled once per instruction set under the name LINE. */
#include "depthwise.h"
#include "lanes.h"

#define OUTPUTS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define DECLARE(r) lanes s##r = zero;
#define STEP(r) \
    if (R > r) s##r = lanes_fma(lanes_load(in + r * advance), w, s##r);
#define STORE(r) \
    if (R > r) \
        lanes_store_some(out + r * out_pixel, lanes_finish(lanes_add(s##r, bias), &end), channels);

/* R outputs from output x on share each weight. A load may reach beyond the block's channels. */
LANES void outputs(const tpuc_float_line *t, const int x, const int R) {
    const ptrdiff_t advance = t->advance, out_pixel = t->out_pixel;
    const float *start = t->in + x * advance, *weights = t->weights;
    const lanes zero = lanes_set(0.0f), bias = lanes_load(t->bias);
    OUTPUTS(DECLARE)
    for (int i = 0; i < t->rows; i++) {
        const float *in = start + i * t->row;
        for (int j = 0; j < t->columns; j++, in += t->column, weights += TPUC_LANES) {
            const lanes w = lanes_load(weights);
            OUTPUTS(STEP)
        }
    }
    float *out = t->out + x * out_pixel;
    const tpuc_float_end end = t->end;
    const int channels = t->channels;
    OUTPUTS(STORE)
}

void LINE(const tpuc_float_line *t) {
    switch (t->count) {
        case 1: outputs(t, 0, 1); break;
        case 2: outputs(t, 0, 2); break;
        case 3: outputs(t, 0, 3); break;
        case 4: outputs(t, 0, 4); break;
        case 5: outputs(t, 0, 5); break;
        case 6: outputs(t, 0, 6); break;
#if defined(__AVX512F__)
        case 7: outputs(t, 0, 7); break;
        case 8: outputs(t, 0, 8); break;
#else /* sixteen registers of half the width */
        case 7: outputs(t, 0, 4), outputs(t, 4, 3); break;
        case 8: outputs(t, 0, 4), outputs(t, 4, 4); break;
#endif
    }
}
