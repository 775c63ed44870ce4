#define LOOPS tpuc_deconv_loops_avx2
#include "deconv_body.h"
