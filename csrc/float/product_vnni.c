#if defined(__AVX512F__)
#define BLOCK tpuc_float_block_vnni
#include "product_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
