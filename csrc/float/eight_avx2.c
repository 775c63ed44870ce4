#if defined(__AVX2__)
#define EIGHT tpuc_float_eight_avx2
#include "eight_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
