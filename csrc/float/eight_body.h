/* The loops of eight.h, compiled once per instruction set under the name EIGHT. */
#include <math.h>
#include <string.h>

#include "eight.h"

#define ALWAYS static inline __attribute__((always_inline))

/* |v| rounded to numbers of so many low bits 0, and to multiples of 2^-9 or 2^-16 below `least`:
 * a sum with `wide`, of a mantissa that ends there, does that. */
ALWAYS float rounded(float v, int bits, float least, float wide, float most, float beyond) {
    const float a = fabsf(v);
    uint32_t word;
    memcpy(&word, &a, sizeof word);
    word += ((1u << (bits - 1)) - 1) + ((word >> bits) & 1);
    word &= ~((1u << bits) - 1);
    float normal;
    memcpy(&normal, &word, sizeof normal);
    const float small = (a + wide) - wide;
    float y = a < least ? small : normal;
    y = y > most ? beyond : y;
    return copysignf(a != a ? a : y, v);
}

ALWAYS float to_type(float v, int type) {
    return type == TPUC_F8E4M3 ? rounded(v, 20, 0x1p-6f, 0x1.8p14f, 448.0f, 448.0f)
                               : rounded(v, 21, 0x1p-14f, 0x1.8p7f, 57344.0f, INFINITY);
}

ALWAYS void all_of(const tpuc_float_eight *eight, float *x, ptrdiff_t count, int type) {
    if (eight->count == 0) {
        for (ptrdiff_t i = 0; i < count; i++) x[i] = to_type(x[i], type);
        return;
    }
    const double step = eight->steps[0];
    for (ptrdiff_t i = 0; i < count; i++) x[i] = to_type((float)((double)x[i] / step), type);
}

ALWAYS void each_of(const double *steps, float *x, ptrdiff_t pixels, ptrdiff_t channels, int type) {
    for (ptrdiff_t p = 0; p < pixels; p++, x += channels)
        for (ptrdiff_t c = 0; c < channels; c++)
            x[c] = to_type((float)((double)x[c] / steps[c]), type);
}

void EIGHT(const tpuc_float_eight *eight, float *x, ptrdiff_t pixels, ptrdiff_t channels) {
    if (eight->type == TPUC_F8E5M2) all_of(eight, x, pixels * channels, TPUC_F8E5M2);
    else if (eight->count < 2) all_of(eight, x, pixels * channels, TPUC_F8E4M3);
    else each_of(eight->steps, x, pixels, channels, TPUC_F8E4M3);
}
