#include "cpu.h"

#include <stdlib.h>
#include <string.h>

static tpuc_isa detect(void) {
#if defined(__x86_64__)
    __builtin_cpu_init(); /* checks cpuid and that the system saves the wide registers */
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni"))
        return TPUC_ISA_VNNI;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return TPUC_ISA_AVX2;
#endif
    return TPUC_ISA_PORTABLE;
}

static int chosen = -1; /* racing threads store the same value */

tpuc_isa tpuc_cpu_limit(tpuc_isa most) {
    const tpuc_isa best = detect();
    chosen = most < best ? most : best;
    return (tpuc_isa)chosen;
}

tpuc_isa tpuc_cpu_isa(void) {
    if (chosen < 0) {
        const char *asked = getenv("TPUC_ISA");
        tpuc_isa most = TPUC_ISA_VNNI;
        if (asked && !strcmp(asked, "portable")) most = TPUC_ISA_PORTABLE;
        if (asked && !strcmp(asked, "avx2")) most = TPUC_ISA_AVX2;
        tpuc_cpu_limit(most);
    }
    return (tpuc_isa)chosen;
}

const char *tpuc_isa_name(tpuc_isa isa) {
    static const char *const names[] = {"portable", "avx2", "vnni"};
    return names[isa];
}
