#include "rounding.h"

#include <math.h>

enum { LANES = 8 };

static double dot(const float *a, const float *b, int64_t count) {
    double sums[LANES] = {0.0};
    int64_t p = 0;
    for (; p + LANES <= count; p += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += (double)a[p + lane] * (double)b[p + lane];
    for (; p < count; p++) sums[0] += (double)a[p] * (double)b[p];
    double sum = 0.0;
    for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
    return sum;
}

void tpuc_moments(const float *x, const float *d, int64_t n, int64_t count, double *h,
                  double *cross) {
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++)
            h[i * n + j] = h[j * n + i] = dot(x + i * count, x + j * count, count);
        for (int64_t j = 0; j < n; j++)
            cross[i * n + j] = dot(d + i * count, x + j * count, count);
    }
}

/* What flipping weight j adds to the objective. */
static inline double change(const double *cost, const double *gradient, const double *room,
                            int64_t j) {
    return cost[j] + 2.0 * room[j] * gradient[j];
}

static double least_change(const double *cost, const double *gradient, const double *room,
                           int64_t n) {
    double least[LANES];
    for (int lane = 0; lane < LANES; lane++) least[lane] = 0.0;
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            const double now = change(cost, gradient, room, j + lane);
            least[lane] = now < least[lane] ? now : least[lane];
        }
    }
    for (; j < n; j++) {
        const double now = change(cost, gradient, room, j);
        least[0] = now < least[0] ? now : least[0];
    }
    double least_of_all = least[0];
    for (int lane = 1; lane < LANES; lane++)
        least_of_all = least[lane] < least_of_all ? least[lane] : least_of_all;
    return least_of_all;
}

void tpuc_round_descent(const double *h, const double *cost, int64_t n, double *gradient,
                        double *room) {
    for (;;) {
        const double least = least_change(cost, gradient, room, n);
        if (!(least < 0.0)) return;
        int64_t best = 0;
        while (change(cost, gradient, room, best) != least) best++;
        const double moved = room[best];
        const double *line = h + best * n;
        for (int64_t j = 0; j < n; j++) gradient[j] += moved * line[j];
        room[best] = -moved;
    }
}
