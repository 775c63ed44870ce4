/* lanes.h in plain C. */
typedef struct {
    float v[16];
} lanes;

#define EACH(expression) \
    lanes y; \
    for (int i = 0; i < TPUC_LANES; i++) y.v[i] = (expression); \
    return y;

LANES lanes lanes_load(const float *p) { EACH(p[i]) }
LANES lanes lanes_load_part(const float *p, int count) { EACH(i < count ? p[i] : 0.0f) }
LANES void lanes_store_part(float *p, lanes v, int count) {
    memcpy(p, v.v, (size_t)count * sizeof(float));
}
LANES void lanes_store(float *p, lanes v) { memcpy(p, v.v, sizeof v.v); }
LANES lanes lanes_set(float v) { EACH(v) }
LANES lanes lanes_fma(lanes a, lanes b, lanes c) { EACH(fmaf(a.v[i], b.v[i], c.v[i])) }
LANES lanes lanes_add(lanes a, lanes b) { EACH(a.v[i] + b.v[i]) }
LANES lanes lanes_sub(lanes a, lanes b) { EACH(a.v[i] - b.v[i]) }
LANES lanes lanes_mul(lanes a, lanes b) { EACH(a.v[i] * b.v[i]) }
LANES lanes lanes_div(lanes a, lanes b) { EACH(a.v[i] / b.v[i]) }
LANES lanes lanes_sqrt(lanes a) { EACH(sqrtf(a.v[i])) }
LANES lanes lanes_min(lanes a, lanes b) { EACH(a.v[i] < b.v[i] ? a.v[i] : b.v[i]) }
LANES lanes lanes_max(lanes a, lanes b) { EACH(a.v[i] > b.v[i] ? a.v[i] : b.v[i]) }
LANES lanes lanes_if_nan(lanes test, lanes a, lanes b) {
    EACH(test.v[i] != test.v[i] ? a.v[i] : b.v[i])
}

/* a where it is at least 0, else a * b. */
LANES lanes lanes_prelu(lanes a, lanes b) { EACH(a.v[i] >= 0 ? a.v[i] : a.v[i] * b.v[i]) }

LANES float lanes_one_f16(float v) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    const uint32_t sign = bits & 0x80000000u;
    uint32_t size = bits ^ sign;
    if (size < 0x38800000u) { /* below 2^-14: multiples of 2^-24, as numbers from 1/2 to 1 have */
        float x;
        memcpy(&x, &size, 4);
        x = (x + 0.5f) - 0.5f;
        memcpy(&size, &x, 4);
    } else if (size <= 0x7F800000u) {
        size = (size + 0xFFFu + ((size >> 13) & 1u)) & ~0x1FFFu;
        size = size >= 0x47800000u ? 0x7F800000u : size; /* from 65520 on */
    } else { /* a quiet NaN of what fits */
        size = (size & ~0x1FFFu) | 0x400000u;
    }
    size |= sign;
    memcpy(&v, &size, 4);
    return v;
}
LANES lanes lanes_f16(lanes v) { EACH(lanes_one_f16(v.v[i])) }

/* To the nearest, or cut. */
LANES float lanes_one_bf16(float v, int nearest) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    const uint32_t up = nearest ? 0x7FFFu + ((bits >> 16) & 1u) : 0u;
    if ((bits & 0x7FFFFFFFu) <= 0x7F800000u) bits = (bits + up) & 0xFFFF0000u;
    memcpy(&v, &bits, 4);
    return v;
}
LANES lanes lanes_bf16(lanes v, int nearest) { EACH(lanes_one_bf16(v.v[i], nearest)) }

LANES lanes lanes_from_bytes(const uint8_t *p, int zero) { EACH((float)((int)p[i] - zero)) }

/* Saturate, then round: halves away from zero; NaN becomes 0. The difference is exact. */
LANES void lanes_to_bytes(uint8_t *p, lanes v, int zero) {
    const float low = (float)-zero, high = (float)(255 - zero);
    for (int i = 0; i < TPUC_LANES; i++) {
        float x = v.v[i] == v.v[i] ? v.v[i] : 0.0f;
        x = x < low ? low : x > high ? high : x;
        const int whole = (int)x;
        const float rest = x - (float)whole;
        p[i] = (uint8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f) + zero);
    }
}

/* Bit i: number i is not 0. */
LANES unsigned lanes_some(lanes a) {
    unsigned bits = 0;
    for (int i = 0; i < TPUC_LANES; i++) bits |= (unsigned)(a.v[i] != 0.0f) << i;
    return bits;
}

LANES int lanes_differ(lanes a, lanes b) {
    int found = 0;
    for (int i = 0; i < TPUC_LANES; i++) found |= a.v[i] < b.v[i] || a.v[i] > b.v[i];
    return found;
}

/* The 16 bits of numbers that the type can hold. */
LANES void lanes_bits_f16(uint16_t *p, lanes v) {
    for (int i = 0; i < TPUC_LANES; i++) {
        uint32_t bits;
        memcpy(&bits, &v.v[i], 4);
        const uint32_t size = bits & 0x7FFFFFFFu, sign = bits >> 16 & 0x8000u;
        uint32_t half = 0x7C00u;
        if (size > 0x7F800000u) half = 0x7E00u | (size >> 13 & 0x1FFu);
        else if (size < 0x38800000u) half = (uint32_t)(fabsf(v.v[i]) * 0x1p24f); /* steps of 2^-24 */
        else if (size < 0x7F800000u) half = (size - 0x38000000u) >> 13;
        p[i] = (uint16_t)(half | sign);
    }
}
LANES void lanes_bits_bf16(uint16_t *p, lanes v) {
    uint32_t bits[TPUC_LANES];
    memcpy(bits, v.v, sizeof bits);
    for (int i = 0; i < TPUC_LANES; i++) p[i] = (uint16_t)(bits[i] >> 16);
}

#undef EACH
