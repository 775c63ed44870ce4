#define WINDOW tpuc_window_avx2
#include "pool_body.h"
