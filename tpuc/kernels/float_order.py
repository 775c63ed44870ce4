"""The order in which TPU-MLIR's simulator adds the products of a float convolution or matmul.

Every output is computed in float32 from operands of their own type (F16, BF16 or F32):

    partial_j = fma chain from 0 over chunk j of the reduction
    output    = round_to_type(limit(((partial_0 + partial_1) + ...) + bias))

Facts (TPU-MLIR 1.30.2, its binaries and the open source of the library they contain):

- Library: oneDNN 3.1.0, `x64:gemm:jit` for every convolution (tensors are five-dimensional and
  plain), reduction index (input channel, ky, kx) with padding as zeros, bias and relu after it.
- GEMM as column-major C[m, n] = A[m, k] B[k, n]: m = output pixels of one image, n = output
  channels of one group, k = input channels of the group * ky * kx. One call an image and a group.
- Chunks: at most 384 long. "nocopy" takes 384 while at least 768 are left, then cuts what is left
  into two halves if longer than 384; "copy" cuts 384 < k < 768 into halves and
  larger k into 384s and a rest.
- Which of the two is chosen from m, n, k and the number of threads: the
  vendor sets OMP_NUM_THREADS=4 unless told otherwise. From 8 threads on, k may be cut further.
- n = 1 is a matrix-vector product, one chain without chunks (one a thread if short and fat, each
  a chunk); m = 1 sums eight lanes.
- MatMul with weights or with two activations: `brg:avx512_core`, a product with a plain left side;
  chunks of 512, or of 1024 if k > 1024, and a rest; whatever the batch, m, n and the threads.
- Measured: bit-equal on 95 convolutions and 23 products of random F16 operands (1x1 to 7x7,
  strides, dilations, groups, borders, batches of 1 to 8, k from 1 to 4608), with 1, 2 and 4
  threads. Batch and threads change the bits only where a rule below names them.
- Deconvolution of one group: `jit:avx512_core`; the reduction in the order (block of 16 input
  channels, ky, kx, channel in the block), one chunk a block, bias last. Grouped ones: `gemm:jit`,
  not described.
- CPU: with AVX-512 (avx512_core or later; measured on Sapphire Rapids). With AVX2 only, chunks have
  other lengths and MatMul another implementation.

A blocked micro-kernel keeps this order if it loops over k within a chunk innermost (for a
convolution: channel outside, taps inside), one accumulator an output starting from 0, stores after
the first chunk, adds what is stored after the others, and has bias, limits and rounding in the
epilogue of the last.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["THREADS", "SumOrder", "conv_order", "deconv_order", "gemm_order", "matmul_order"]

THREADS = 4
CHUNK = 384
# One call with several threads costs about this many cycles a thread; fused multiply-adds a cycle.
THREAD_CYCLES = 3000
FLOPS_PER_CYCLE = 64
PARALLEL_PIXELS = 512
SMALL_GEMM = 64 * 1024


@dataclass(frozen=True)
class SumOrder:
    """How the products of one output are added.

    Attributes
    ----------
    chunks : lengths of the runs of the reduction, each a chain of fused multiply-adds from 0; the
        runs' results are added in order.
    lanes : 1, or 8: term t of the whole blocks of 16 goes to chain t % 8, the eight results are
        added as ((0+1)+(4+5)) + ((2+3)+(6+7)), and the rest follows in runs of 8, 4, 2 and 1 terms
        that are reduced the same way (absent lanes are 0) and added one after another.
    """

    chunks: tuple[int, ...]
    lanes: int = 1


def conv_order(
    inputs: int, outputs: int, kernel: tuple[int, int], pixels: int, images: int = 1, group: int = 1
) -> SumOrder:
    """Order of a convolution, in (channel, ky, kx) of one group.

    Parameters
    ----------
    inputs, outputs : channels of all groups.
    kernel : (ky, kx).
    pixels : height * width of the output.
    images : batch.
    """
    depth, width = inputs // group, outputs // group
    alone = (images != 1 or group > 2) and _shares_out_calls(pixels, width, depth, images * group)
    k = depth * kernel[0] * kernel[1]
    return gemm_order(pixels, width, k, 1 if alone else THREADS)


def matmul_order(k: int) -> SumOrder:
    """Order of a MatMul (or Gemm) whose reduction has length k; the bias is added after it."""
    step = 1024 if k > 1024 else 512
    return SumOrder(tuple(min(step, k - start) for start in range(0, k, step)))


def deconv_order(inputs: int, kernel: tuple[int, int]) -> SumOrder:
    """Order of a deconvolution of one group, in (block of 16 channels, ky, kx, channel)."""
    taps = kernel[0] * kernel[1]
    blocks = [min(16, inputs - start) for start in range(0, inputs, 16)]
    return SumOrder(tuple(taps * channels for channels in blocks))


def _shares_out_calls(pixels: int, width: int, depth: int, calls: int) -> bool:
    """Whether the threads share out images and groups, leaving one thread to each GEMM."""
    if pixels // THREADS >= PARALLEL_PIXELS:
        return False
    tiles = -(-pixels // 16) * -(-width // 16)
    balance = [count / (-(-count // THREADS) * THREADS) for count in (calls, tiles)]
    return balance[0] >= balance[1] or pixels * depth * width // THREADS < SMALL_GEMM


def gemm_order(m: int, n: int, k: int, threads: int = THREADS) -> SumOrder:
    """Order of one GEMM of plain operands, C[m, n], with a number of threads below 8."""
    if n == 1:
        return SumOrder(_vector_chunks(m, k, threads))
    if m == 1:
        return SumOrder((k,), lanes=8)
    copied = _is_copied(m, n, k, _useful_threads(m, n, k, threads))
    return SumOrder(_copy_chunks(k) if copied else _nocopy_chunks(k))


def _nocopy_chunks(k: int) -> tuple[int, ...]:
    chunks = []
    while k:
        step = CHUNK if k >= 2 * CHUNK else -(-k // 2) if k > CHUNK else k
        chunks.append(step)
        k -= step
    return tuple(chunks)


def _copy_chunks(k: int) -> tuple[int, ...]:
    step = k if k <= CHUNK else (k + 1) // 2 if k < 2 * CHUNK else CHUNK
    return tuple(min(step, k - start) for start in range(0, k, step))


def _vector_chunks(m: int, k: int, threads: int) -> tuple[int, ...]:
    """Matrix[m, k] times vector: one chain, or one a thread where the matrix is short and fat."""
    band = k // threads
    sequential = m * k + 288 * k < 41700
    if not (m >= 20000 and k <= 200):
        sequential = sequential or m * band < (2048 if band < 32 else 4096)
    if sequential or m > 500 * threads or k < 128 * threads:
        return (k,)
    width, longer = divmod(k, threads)
    return tuple(width + (i < longer) for i in range(threads))


def _useful_threads(m: int, n: int, k: int, threads: int) -> int:
    if n > 50 and m <= 10:
        return threads
    cycles = 2.0 * m * n * k / FLOPS_PER_CYCLE
    if cycles < THREAD_CYCLES:
        return 1
    while threads > 1 and THREAD_CYCLES * threads >= cycles * (threads - 1):
        threads -= 1
    return threads


def _is_copied(m: int, n: int, k: int, threads: int) -> bool:
    """Whether operands are packed first; m and k are the leading dimensions too.

    The first rule that applies decides.
    """
    if m % 1024 == 0 and k > 500 and n > 100:
        return True
    if 1.0 / m + 1.0 / n >= 0.00196:
        return False
    wide_enough = n > 16 or (n == 16 and (k >= 6400 or m == 4096))
    if (m % 256 == 0 or k % 256 == 0) and m >= 32 and wide_enough:
        return True
    if k >= threads * 378 and ((m <= 378 and n <= 378) or m >= threads * 378):
        return True
    return not (m <= 28 * threads or n <= 28 * threads or k <= threads)
