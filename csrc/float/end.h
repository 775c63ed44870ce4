/* What happens to a float32 result before it is stored.
 *
 *     y = round_to_type(min(max(v, low), high)),   NaN stays NaN
 *
 * Values of the shorter types live as float32 that the type can hold: rounding is to nearest even,
 * overflow becomes infinity. Cut, a BF16 number is the upper half of a float32. */
#ifndef TPUC_FLOAT_END_H
#define TPUC_FLOAT_END_H

#include <stdint.h>

typedef enum { TPUC_F32, TPUC_F16, TPUC_BF16, TPUC_BF16_CUT } tpuc_float_type;

typedef struct {
    float low, high; /* -inf and inf: no limit */
    int32_t type;
} tpuc_float_end;

#endif
