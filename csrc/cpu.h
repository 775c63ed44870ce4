/* Which instruction sets this machine (and its operating system) lets us use. */
#ifndef TPUC_CPU_H
#define TPUC_CPU_H

typedef enum { TPUC_ISA_PORTABLE = 0, TPUC_ISA_AVX2 = 1, TPUC_ISA_VNNI = 2 } tpuc_isa;

/* Best instruction set of the machine, lowered to `TPUC_ISA` (portable, avx2, vnni) when that
 * variable is set, or to the last tpuc_cpu_limit. */
tpuc_isa tpuc_cpu_isa(void);

/* Use at most `most` from now on; what is then in use. */
tpuc_isa tpuc_cpu_limit(tpuc_isa most);

const char *tpuc_isa_name(tpuc_isa isa);

#endif
