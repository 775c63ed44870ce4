#define LOOPS tpuc_deconv_loops_vnni
#include "deconv_body.h"
