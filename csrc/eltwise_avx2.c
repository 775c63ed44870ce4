#define PAIR tpuc_pair_avx2
#include "eltwise_body.h"
