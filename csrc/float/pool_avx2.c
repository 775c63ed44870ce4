#if defined(__AVX2__)
#define WINDOW tpuc_float_window_avx2
#include "pool_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
