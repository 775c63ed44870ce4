#if defined(__AVX512F__)
#define EIGHT tpuc_float_eight_vnni
#include "eight_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
