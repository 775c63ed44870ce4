#define WINDOW tpuc_window_vnni
#include "pool_body.h"
