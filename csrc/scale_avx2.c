#define SCALE tpuc_scale_avx2
#include "scale_body.h"
