#if defined(__AVX2__)
#define TILE tpuc_float_tile_avx2
#include "conv_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
