#include "parallel.h"

#include "awake.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define PAUSE() _mm_pause()
#else
#define PAUSE() sched_yield()
#endif

enum { MOST = 64, SPINS = 2000, LONG = 50000, TURN = 64 };

/* One thread's share; a cache line each. */
typedef struct {
    _Alignas(64) atomic_llong next;
    int64_t end;
} share;

static struct {
    pthread_mutex_t busy; /* one loop at a time; a second caller runs its loop alone */
    pthread_mutex_t sleep;
    pthread_cond_t wake;
    atomic_int open;   /* the job below may be read */
    atomic_int inside; /* threads that may be reading it */
    atomic_uint round; /* counts jobs */
    atomic_int sleepers;
    atomic_int runs; /* that want threads to stay awake */
    int workers, threads;
    pid_t owner; /* threads do not survive a fork */
    tpuc_task task;
    const void *context;
    share shares[MOST];
} pool = {.busy = PTHREAD_MUTEX_INITIALIZER,
          .sleep = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER};

static void work(int self) {
    for (int i = 0; i < pool.threads; i++) {
        share *s = &pool.shares[(self + i) % pool.threads];
        for (int64_t item; (item = atomic_fetch_add(&s->next, 1)) < s->end;)
            pool.task(pool.context, item);
    }
}

/* Wait for a job newer than `seen`: spin for a while, longer within a run, then sleep. */
static unsigned await(unsigned seen) {
    for (int i = 0; i < SPINS || (i < LONG && atomic_load(&pool.runs) > 0); i++) {
        if (atomic_load(&pool.round) != seen) return atomic_load(&pool.round);
        PAUSE();
        if (i >= SPINS && i % TURN == 0) sched_yield();
    }
    pthread_mutex_lock(&pool.sleep);
    atomic_fetch_add(&pool.sleepers, 1);
    while (atomic_load(&pool.round) == seen) pthread_cond_wait(&pool.wake, &pool.sleep);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.sleep);
    return atomic_load(&pool.round);
}

static void *worker(void *argument) {
    const int self = (int)(intptr_t)argument;
    for (unsigned seen = 0;;) {
        seen = await(seen);
        atomic_fetch_add(&pool.inside, 1);
        if (atomic_load(&pool.open) && self < pool.threads) work(self);
        atomic_fetch_sub(&pool.inside, 1);
    }
    return NULL;
}

/* Start the threads that are missing; fewer than asked is fine. */
static void grow(int threads) {
    if (pool.owner != getpid()) {
        pool.owner = getpid();
        pool.workers = 0;
        atomic_store(&pool.inside, 0);
        atomic_store(&pool.sleepers, 0);
        atomic_store(&pool.runs, 0);
        pthread_mutex_init(&pool.sleep, NULL);
        pthread_cond_init(&pool.wake, NULL);
    }
    while (pool.workers < threads - 1) {
        pthread_t thread;
        pthread_attr_t detached;
        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        const int failed =
            pthread_create(&thread, &detached, worker, (void *)(intptr_t)(pool.workers + 1));
        pthread_attr_destroy(&detached);
        if (failed) return;
        pool.workers++;
    }
}

static void run_alone(int64_t items, tpuc_task task, const void *context) {
    for (int64_t i = 0; i < items; i++) task(context, i);
}

static void call(void) {
    atomic_fetch_add(&pool.round, 1);
    if (!atomic_load(&pool.sleepers)) return;
    pthread_mutex_lock(&pool.sleep);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.sleep);
}

/* Threads that are called without a job find the door shut, and wait for the next one. */
void tpuc_awake_begin(int threads) {
    if (!pthread_mutex_trylock(&pool.busy)) {
        grow(threads < MOST ? threads : MOST);
        pthread_mutex_unlock(&pool.busy);
    }
    atomic_fetch_add(&pool.runs, 1);
    call();
}

void tpuc_awake_end(void) { atomic_fetch_sub(&pool.runs, 1); }

void tpuc_parallel(int threads, int64_t items, tpuc_task task, const void *context) {
    if (threads > MOST) threads = MOST;
    if (threads > items) threads = (int)items;
    if (threads <= 1 || pthread_mutex_trylock(&pool.busy)) {
        run_alone(items, task, context);
        return;
    }
    grow(threads);
    pool.task = task, pool.context = context, pool.threads = threads;
    for (int i = 0; i < threads; i++) {
        pool.shares[i].end = items * (i + 1) / threads;
        atomic_store(&pool.shares[i].next, items * i / threads);
    }
    atomic_store(&pool.open, 1);
    call();
    work(0);
    atomic_store(&pool.open, 0); /* threads that come now find the door shut */
    for (int i = 0; atomic_load(&pool.inside); i++) {
        if (i < SPINS) PAUSE();
        else sched_yield();
    }
    pthread_mutex_unlock(&pool.busy);
}
