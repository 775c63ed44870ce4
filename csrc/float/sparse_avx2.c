#if defined(__AVX2__)
#define LOOPS tpuc_sparse_loops_avx2
#include "sparse_body.h"
#else
typedef int tpuc_no_avx2_here;
#endif
