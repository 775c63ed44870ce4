#if defined(__AVX512F__)
#define FUNCTION tpuc_float_function_vnni
#include "functions_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
