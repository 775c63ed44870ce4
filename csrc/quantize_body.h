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

void QUANTIZE(const float *x, float factor, int zero, uint8_t *out, int count) {
    const float low = (float)-zero, high = (float)(255 - zero);
    for (int i = 0; i < count; i++) out[i] = quantized(x[i] * factor, low, high, zero);
}
