/* Quantization of a run of float32 in plain C, compiled once per instruction set under the name
 * QUANTIZE. */
#include "image.h"

/* Saturate, then round: halves away from zero. The difference is exact. */
static inline uint8_t quantized(float v, float low, float high, int zero) {
    v = v == v ? v : 0.0f;
    v = v < low ? low : v;
    v = v > high ? high : v;
    const int whole = (int)v;
    const float rest = v - (float)whole;
    return (uint8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f) + zero);
}

/* `even`: halves to even instead, which a sum with a number of 2^23 does. */
void QUANTIZE(const float *x, float factor, int zero, int even, uint8_t *out, int count) {
    const float low = (float)-zero, high = (float)(255 - zero), wide = even ? 0x1.8p23f : 0.0f;
    for (int i = 0; i < count; i++) {
        const float v = x[i] * factor;
        out[i] = quantized((v + wide) - wide, low, high, zero);
    }
}
