#if defined(__AVX2__)
#define FUNCTION tpuc_float_function_avx2
#include "functions_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
