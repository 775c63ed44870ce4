#if defined(__AVX512F__)
#define WINDOW tpuc_float_window_vnni
#include "pool_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
