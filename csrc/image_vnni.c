#define QUANTIZE tpuc_quantize_vnni
#include "quantize_body.h"
