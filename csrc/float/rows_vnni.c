#if defined(__AVX512F__)
#define LOOPS tpuc_float_loops_vnni
#include "rows_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
