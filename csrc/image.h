/* Activations as the int8 kernels see them: channels last, biased bytes.
 *
 *     stored byte = q + bias,   bias = 128 for a signed tensor, 0 for an unsigned one
 *     zero = bias + zero point, the byte that stands for 0
 *     address of (n, y, x, c)  = data + n * image + y * row + x * pixel + c
 *
 * Around each picture lies a halo whose bytes equal `zero`, as wide as the widest padding of any
 * reader; `data` points at pixel (0, 0) inside it. Behind the last picture lies slack for reads of
 * whole vectors. */
#ifndef TPUC_IMAGE_H
#define TPUC_IMAGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *data;
    ptrdiff_t image, row, pixel;
    int32_t n, h, w, c;
    int32_t top, left, bottom, right; /* halo, in pixels */
    int32_t zero, bias;
} tpuc_image;

/* Set the halo of every picture to `zero`. */
void tpuc_image_fill_halo(const tpuc_image *image, int threads);

/* Stored integers, contiguous NCHW, to an image, and back. */
void tpuc_image_load(const tpuc_image *image, const uint8_t *plain, int threads);
void tpuc_image_store(const tpuc_image *image, uint8_t *plain, int threads);

/* float32 NCHW to an image: saturate(round(x * inverse) + zero), halves away from zero or to
 * `even`; NaN becomes 0. */
void tpuc_image_quantize(const tpuc_image *image, const float *plain, float inverse, int even,
                         int threads);

/* An image to float32 NCHW: scale * (byte - zero), as the type `brief` says: 0 float32, 1 rounded to BF16. */
void tpuc_image_dequantize(const tpuc_image *image, float *plain, float scale, int brief,
                           int threads);

/* A run of it. */
typedef void (*tpuc_quantize_function)(const float *x, float factor, int zero, int even,
                                       uint8_t *out, int count);
void tpuc_quantize_portable(const float *x, float factor, int zero, int even, uint8_t *out,
                              int count);
void tpuc_quantize_avx2(const float *x, float factor, int zero, int even, uint8_t *out,
                              int count);
void tpuc_quantize_vnni(const float *x, float factor, int zero, int even, uint8_t *out,
                              int count);

#endif
