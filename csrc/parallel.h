/* Loops over independent items on a pool of threads.
 *
 * Each thread owns a contiguous share of the items and, when done, takes items of others. The
 * caller never waits for a thread that has not started: on a busy machine it does the work itself.
 * Results must not depend on who runs an item, nor on the order. */
#ifndef TPUC_PARALLEL_H
#define TPUC_PARALLEL_H

#include <stdint.h>

typedef void (*tpuc_task)(const void *context, int64_t item);

/* Run items 0 .. items - 1 on up to `threads` threads; back when all are done. */
void tpuc_parallel(int threads, int64_t items, tpuc_task task, const void *context);

#endif
