#if defined(__AVX512F__)
#define LOOPS tpuc_sparse_loops_vnni
#include "sparse_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
