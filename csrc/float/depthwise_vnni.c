#if defined(__AVX512F__)
#define LINE tpuc_float_line_vnni
#include "depthwise_body.h"
#else
typedef int tpuc_no_vnni_here;
#endif
