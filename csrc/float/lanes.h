/* Sixteen float32 lanes in the widest registers that the file is compiled for.
 *
 * Every operation rounds each lane as IEEE 754 says, a fused multiply-add once: the paths differ in
 * speed alone. */
#ifndef TPUC_FLOAT_LANES_H
#define TPUC_FLOAT_LANES_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "end.h"

enum { TPUC_LANES = 16 };

#define LANES static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#include "lanes_avx512.h"
#elif defined(__AVX2__)
#include "lanes_avx2.h"
#else
#include "lanes_portable.h"
#endif

LANES lanes lanes_finish(lanes v, const tpuc_float_end *end) {
    v = lanes_min(lanes_set(end->high), lanes_max(lanes_set(end->low), v));
    if (end->type == TPUC_F16) return lanes_f16(v);
    return end->type == TPUC_F32 ? v : lanes_bf16(v, end->type == TPUC_BF16);
}

LANES lanes lanes_load_some(const float *p, int count) {
    return count >= TPUC_LANES ? lanes_load(p) : lanes_load_part(p, count);
}

LANES void lanes_store_some(float *p, lanes v, int count) {
    if (count >= TPUC_LANES) lanes_store(p, v);
    else lanes_store_part(p, v, count);
}

#endif
