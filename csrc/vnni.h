/* vpdpbusd that accumulates in place. Compilers turn the intrinsic into a copy and an accumulation,
 * and spill. */
#ifndef TPUC_VNNI_H
#define TPUC_VNNI_H

#include <immintrin.h>

#define TPUC_INLINE static inline __attribute__((always_inline))

#define TPUC_DOT(sum, bytes, weights) \
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(bytes), "v"(weights))

#define TPUC_DOT_MEMORY(sum, bytes, weights) \
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(bytes), "m"(*(const __m512i_u *)(weights)))

#endif
