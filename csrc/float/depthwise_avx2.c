#if defined(__AVX2__)
#define LINE tpuc_float_line_avx2
#include "depthwise_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
