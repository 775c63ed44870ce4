/* The line of depthwise.h, compiled once per instruction set under the name LINE. */
#include "depthwise.h"
#include "lanes.h"

#define OUTPUTS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define DECLARE(r) lanes s##r = bias;
#define STEP(r) \
    if (R > r) s##r = lanes_fma(lanes_load(in + r * advance), w, s##r);
#define STORE(r) \
    if (R > r) lanes_store_some(out + r * out_pixel, lanes_finish(s##r, &end), channels);

/* R outputs from output x on share each weight. A load may reach beyond the block's channels. */
LANES void outputs(const tpuc_float_line *t, const int x, const int R) {
    const ptrdiff_t advance = t->advance, out_pixel = t->out_pixel;
    const float *start = t->in + x * advance, *weights = t->weights;
    const lanes bias = lanes_load(t->bias);
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

#if defined(__AVX512F__)
enum { MOST = 8 };
#else
enum { MOST = 6 };
#endif

void LINE(const tpuc_float_line *t) {
    int x = 0;
    for (; x + MOST <= t->count; x += MOST) outputs(t, x, MOST);
    switch (t->count - x) {
        case 1: outputs(t, x, 1); break;
        case 2: outputs(t, x, 2); break;
        case 3: outputs(t, x, 3); break;
        case 4: outputs(t, x, 4); break;
        case 5: outputs(t, x, 5); break;
        case 6: outputs(t, x, 6); break;
        case 7: outputs(t, x, 7); break;
    }
}
