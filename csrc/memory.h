/* What the C library does with memory that is given back. */
#ifndef TPUC_MEMORY_H
#define TPUC_MEMORY_H

/* Keep freed memory for the next array instead of returning it to the system: pages that come back
 * are cleared first, which costs more than what numpy does with most of them. 0 where the C library
 * has no such choice. */
int tpuc_keep_memory(void);

#endif
