#if defined(__AVX512F__)
#define ALONG tpuc_float_along_vnni
#include "along_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
