/* The loop of scale.h in plain C, compiled once per instruction set under the name SCALE. */
#include "scale.h"

void SCALE(const tpuc_scale *q, const tpuc_scale_pixel *t, const uint8_t *in, uint8_t *out) {
    const int32_t *m = q->m, *b = q->b, *s = q->s;
    const int32_t in_zero = t->in_zero, zero = t->zero, channels = t->channels;
    const int32_t least = q->least, most = q->most, low = q->low;
    for (int c = 0; c < channels; c++) {
        int32_t v = (in[c] - in_zero) * m[c] + b[c];
        v = v < least ? least : v > most ? most : v;
        const int32_t y = (v >> s[c]) + zero;
        out[c] = (uint8_t)(y < low ? low : y > 255 ? 255 : y);
    }
}
