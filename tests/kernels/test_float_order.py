"""The described order of summation gives TPU-MLIR's float32 sums, bit for bit."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.golden.float_cases import CONVS, DECONVS, MATMULS, made
from tpuc.kernels import _float_products
from tpuc.kernels.float_order import SumOrder, conv_order, gemm_order, matmul_order
from tpuc.kernels.float_reference import (
    conv_in_order,
    deconv_in_order,
    fused_multiply_add,
    matmul_in_order,
    product_in_order,
)

SUMS = Path(__file__).parents[1] / "golden" / "float_order" / "sums.npz"


@pytest.fixture(scope="module")
def sums() -> dict[str, np.ndarray]:
    with np.load(SUMS) as held:
        return {name: held[name] for name in held.files}


@pytest.mark.parametrize("name", CONVS)
def test_convolution(name: str, sums: dict[str, np.ndarray]) -> None:
    case = CONVS[name]
    x, weight = made(f"{name}_x", case.x), made(f"{name}_w", case.weight)
    bias = made(f"{name}_b", case.weight[:1])
    if case.step == 1:
        found = conv_in_order(x, weight, bias, case.window, case.group)
    else:
        assert case.weight[2:] == (1, 1) and case.stride == case.group == len(x) == 1
        order = conv_order(case.x[1], len(weight), (1, 1), case.x[2] * case.x[3])
        kept = weight[:: case.step, :, 0, 0]
        product = product_in_order(kept, x.reshape(case.x[1], -1), order)
        found = (product + bias[:: case.step, None]).reshape(1, len(kept), *case.x[2:])
    np.testing.assert_array_equal(found, sums[name])


@pytest.mark.parametrize("name", DECONVS)
def test_deconvolution(name: str, sums: dict[str, np.ndarray]) -> None:
    case, expected = DECONVS[name], sums[name]
    x, weight = made(f"{name}_x", case.x), made(f"{name}_w", case.weight)
    bias = made(f"{name}_b", case.weight[:1])
    found = deconv_in_order(x, weight, bias, case.window, expected.shape[2:])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", MATMULS)
def test_matrix_product(name: str, sums: dict[str, np.ndarray]) -> None:
    case = MATMULS[name]
    right = made(f"{name}_w" if case.constant else f"{name}_y", case.right)
    bias = made(f"{name}_b", case.right[-1:]) if case.constant else None
    found = matmul_in_order(made(f"{name}_x", case.left), right, bias)
    np.testing.assert_array_equal(found.ravel(), sums[name].ravel())


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("one_chunk", SumOrder((384,))),
        ("two_halves", SumOrder((193, 192))),
        ("chunk_and_halves", SumOrder((384, 258, 258))),
        ("chunks_and_halves", SumOrder((384, 384, 384, 384, 256, 256))),
        ("packed_with_rest", SumOrder((384, 384, 32))),
        ("one_pixel", SumOrder((303,), lanes=8)),
        ("one_output", SumOrder((500,))),
        ("one_output_by_threads", SumOrder((129, 128, 128, 128))),
    ],
)
def test_every_kind_of_order_is_among_the_cases(name: str, order: SumOrder) -> None:
    case = CONVS[name]
    height, width = (n - k + 1 for n, k in zip(case.x[2:], case.weight[2:], strict=True))
    assert conv_order(case.x[1], case.weight[0], case.weight[2:], height * width) == order


def test_chunks_cover_the_reduction() -> None:
    for k in (*range(1, 40), *range(380, 390), *range(760, 775), 1023, 1024, 1025, 4608):
        for m, n in ((1, 1), (1, 7), (36, 1), (49, 64), (196, 640), (1024, 128), (3136, 640)):
            order = gemm_order(m, n, k)
            assert sum(order.chunks) == k and min(order.chunks) > 0
        assert sum(matmul_order(k).chunks) == k


def _exact(a: float, b: float, c: float) -> np.float32:
    """Nearest float32 of the exact value, ties to even, by trying the neighbours."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    near = np.float32(float(exact))
    tried = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    return min(tried, key=lambda t: (abs(Fraction(float(t)) - exact), int(t.view(np.int32)) & 1))


def test_a_multiply_add_is_rounded_once() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(3000).astype(np.float32) for _ in range(2))
    # Addends that cancel almost all of the product, and ones far below its last bit.
    scale = 2.0 ** rng.integers(-60, 4, 3000)
    c = np.where(rng.random(3000) < 0.5, -a * b * (1 + scale), scale).astype(np.float32)
    tie = np.float32(1 + 2.0**-12)  # tie * tie lies half way between two float32
    a, b = np.append(a, [tie] * 4), np.append(b, [tie, tie, -tie, -tie])
    c = np.append(c, np.array([2.0**-80, -(2.0**-80)] * 2, np.float32))
    found = fused_multiply_add(a, b, c)
    expected = [_exact(*map(float, values)) for values in zip(a, b, c, strict=True)]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))
    twice = (a.astype(np.float64) * b + c).astype(np.float32)
    assert (found[-4:] != twice[-4:]).any()


@pytest.mark.parametrize("shape", [(5, 7, 9, 1), (3, 4, 33, 9), (1, 1, 1, 1)])
def test_a_merged_filter_sums_one_middle_channel_after_the_other(shape):
    e, d, c, t = shape
    rng = np.random.default_rng(e)
    second = rng.standard_normal((e, d, t)).astype(np.float32)
    first = rng.standard_normal((d, c)).astype(np.float32)
    expected = np.zeros((e, c, t), np.float32)
    for middle in range(d):
        expected += second[:, middle, None, :] * first[None, middle, :, None]
    np.testing.assert_array_equal(_float_products.merged_filter(second, first), expected)
    with pytest.raises(ValueError, match="shapes differ"):
        _float_products.merged_filter(second, first[1:])
