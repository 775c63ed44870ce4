#if defined(__AVX512F__)
#define TILE tpuc_float_tile_vnni
#include "conv_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
