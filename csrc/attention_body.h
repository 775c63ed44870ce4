/* The loops of attention.h that plain C is enough for, once per instruction set: NAME, PRODUCT; REQUANT
 * where there is a better one. */
#include "attention.h"

#ifndef REQUANT
#define REQUANT requant
/* Halves go away from zero. */
static void requant(const int32_t *sums, int count, tpuc_attention_words words, uint8_t *bytes) {
    const int64_t half = (int64_t)1 << (words.shift - 1);
    const int32_t m = (int32_t)words.multiplier;
    const int shift = (int)words.shift;
    for (int i = 0; i < count; i++) {
        const int64_t v = (int64_t)sums[i] * (int64_t)m;
        const int64_t y = (v + (v >> 63) + half) >> shift;
        bytes[i] = (uint8_t)((y < -128 ? -128 : y > 127 ? 127 : y) + 128);
    }
}
#endif

/* Rows side by side, as their sums are made one power after another. Numbers are not negative: what
 * is left after the whole part rounds up from a half. */
static void shares(const uint8_t *lines, ptrdiff_t pitch, int tokens, const float *table,
                   float scale, float *powers, uint8_t *out, ptrdiff_t out_pitch) {
    float total[TPUC_ATTENTION_ROWS] = {0.0f};
    for (int r = 0; r < TPUC_ATTENTION_ROWS; r++)
        for (int t = 0; t < tokens; t++)
            powers[t * TPUC_ATTENTION_ROWS + r] = table[255 - lines[r * pitch + t]];
    for (int t = 0; t < tokens; t++)
        for (int r = 0; r < TPUC_ATTENTION_ROWS; r++)
            total[r] += powers[t * TPUC_ATTENTION_ROWS + r];
    for (int r = 0; r < TPUC_ATTENTION_ROWS; r++) total[r] *= scale;
    for (int t = 0; t < tokens; t++) {
        uint8_t column[TPUC_ATTENTION_ROWS];
        for (int r = 0; r < TPUC_ATTENTION_ROWS; r++) {
            float v = powers[t * TPUC_ATTENTION_ROWS + r] / total[r];
            v = v >= 256.0f ? 256.0f : v > 0.0f ? v : 0.0f; /* 0 of no sum too */
            const int32_t whole = (int32_t)v, y = whole + (v - (float)whole >= 0.5f);
            column[r] = (uint8_t)(y > 255 ? 255 : y);
        }
        for (int r = 0; r < TPUC_ATTENTION_ROWS; r++) out[r * out_pitch + t] = column[r];
    }
}

static void add(const int32_t *a, const int32_t *b, int32_t *out, int count) {
    for (int i = 0; i < count; i++) {
        const int32_t sum = (int32_t)((uint32_t)a[i] + (uint32_t)b[i]);
        const int32_t beyond = ((sum ^ a[i]) & (sum ^ b[i])) >> 31; /* all ones: overflow */
        const int32_t limit = (a[i] >> 31) ^ INT32_MAX;
        out[i] = (sum & ~beyond) | (limit & beyond);
    }
}

const tpuc_attention_loops NAME = {PRODUCT, REQUANT, shares, add};
