/* exp in float64, plain C that compilers turn into vectors.
 *
 *     exp(x) = 2^n * exp(r),   n = round(x / ln 2),   |r| <= ln 2 / 2,   exp(r) by 14 terms of its
 *     series (the next is below 2^-57)
 *
 * Infinity from 709.8 on, 0 below -745.2; NaN stays NaN. */
#ifndef TPUC_FLOAT_EXP_H
#define TPUC_FLOAT_EXP_H

#include <stdint.h>
#include <string.h>

/* Sums with it end in the integer nearest to the other addend. */
#define TPUC_WHOLE 0x1.8p52

/* 2^n of a whole n from -1022 to 1023: n + 1023 moves into the exponent. */
static inline double tpuc_power_of_two(double n) {
    const double shifted = n + (TPUC_WHOLE + 1023.0);
    uint64_t bits;
    double y;
    memcpy(&bits, &shifted, 8);
    bits <<= 52;
    memcpy(&y, &bits, 8);
    return y;
}

static inline double tpuc_exp(double x) {
    x = x < -1000.0 ? -1000.0 : x;
    x = x > 1000.0 ? 1000.0 : x;
    const double n = (x * 0x1.71547652b82fep0 + TPUC_WHOLE) - TPUC_WHOLE;
    const double r = (x - n * 0x1.62e42fefa0000p-1) - n * 0x1.cf79abc9e3b39p-40;
    double y = 1.0 / 6227020800.0;
    y = y * r + 1.0 / 479001600.0;
    y = y * r + 1.0 / 39916800.0;
    y = y * r + 1.0 / 3628800.0;
    y = y * r + 1.0 / 362880.0;
    y = y * r + 1.0 / 40320.0;
    y = y * r + 1.0 / 5040.0;
    y = y * r + 1.0 / 720.0;
    y = y * r + 1.0 / 120.0;
    y = y * r + 1.0 / 24.0;
    y = y * r + 1.0 / 6.0;
    y = y * r + 0.5;
    y = y * r + 1.0;
    y = y * r + 1.0;
    const double half = (n * 0.5 + TPUC_WHOLE) - TPUC_WHOLE; /* 2^n itself may not fit */
    return y * tpuc_power_of_two(half) * tpuc_power_of_two(n - half);
}

#endif
