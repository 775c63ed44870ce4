/* int8 softmax over the channels of each pixel, in float32.
 *
 *     e[c] = table[max - x[c]],  y[c] = round(e[c] / ((e[0] + e[1] + ...) * scale))
 *
 * The sum is taken in the order of the channels; halves go away from zero; the stored byte is
 * clamp(y + zero, low, 255). */
#ifndef TPUC_SOFTMAX_H
#define TPUC_SOFTMAX_H

#include "image.h"

void tpuc_softmax_run(const float *table, float scale, const tpuc_image *in, const tpuc_image *out,
                      int low, int threads);

#endif
