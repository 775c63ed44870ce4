#if defined(__AVX2__)
#define BLOCK tpuc_float_block_avx2
#include "product_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
