/* Keeps the threads of parallel.h awake between the loops of a run, so that none of them begins
 * with waking one up. They give way to whoever else wants the processor, and sleep in the end if
 * nothing comes. */
#ifndef TPUC_AWAKE_H
#define TPUC_AWAKE_H

/* A run with up to `threads` threads begins, and ends; runs may overlap. */
void tpuc_awake_begin(int threads);
void tpuc_awake_end(void);

#endif
