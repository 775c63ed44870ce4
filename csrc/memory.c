#include "memory.h"

#include <stdlib.h> /* defines __GLIBC__ */

#if defined(__linux__) && defined(__GLIBC__)
#include <malloc.h>

enum {
    LARGEST = 32 << 20, /* as much as glibc allows */
    UNUSED = 256 << 20,
};

int tpuc_keep_memory(void) {
    return mallopt(M_MMAP_THRESHOLD, LARGEST) && mallopt(M_TRIM_THRESHOLD, UNUSED);
}
#else
int tpuc_keep_memory(void) { return 0; }
#endif
