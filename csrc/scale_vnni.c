#define SCALE tpuc_scale_vnni
#include "scale_body.h"
