#define QUANTIZE tpuc_quantize_avx2
#include "quantize_body.h"
