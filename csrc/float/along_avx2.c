#if defined(__AVX2__)
#define ALONG tpuc_float_along_avx2
#include "along_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
