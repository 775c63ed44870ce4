/* The window of pool.h, compiled once per instruction set under the name WINDOW. */
#include "lanes.h"
#include "pool.h"

/* Of two zeros the first stays, whatever its sign. */
LANES lanes walk(const tpuc_float_window *t, int c, int n, const int maximum) {
    lanes v = lanes_set(maximum ? -INFINITY : 0.0f);
    for (int y = 0; y < t->rows; y++) {
        const float *in = t->in + y * t->row + c;
        for (int x = 0; x < t->columns; x++, in += t->pixel) {
            const lanes a = lanes_load_some(in, n);
            v = maximum ? lanes_if_nan(a, a, lanes_max(a, v)) : lanes_add(v, a);
        }
    }
    return v;
}

void WINDOW(const tpuc_float_pool *p, const tpuc_float_window *t) {
    const int counted = p->exclude_pad ? t->rows * t->columns : p->kernel_h * p->kernel_w;
    const lanes area = lanes_set((float)counted);
    for (int c = 0; c < t->channels; c += TPUC_LANES) {
        const int n = t->channels - c < TPUC_LANES ? t->channels - c : TPUC_LANES;
        lanes v;
        if (p->maximum) {
            v = walk(t, c, n, 1);
        } else {
            v = lanes_div(walk(t, c, n, 0), area);
        }
        lanes_store_some(t->out + c, lanes_finish(v, &p->end), n);
    }
}
