#if defined(__AVX2__)
#define LOOPS tpuc_float_loops_avx2
#include "rows_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
