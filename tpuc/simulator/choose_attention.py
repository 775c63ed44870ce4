"""One head of float attention on the kernels of products, sums and softmax.

The tokens lie along the channels of the images (B, tokens, width); what lies between is kept in
images of its own. The steps are those of `float_attention`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.ir import DType, Node, Value
from tpuc.kernels import _float, _float_rows
from tpuc.kernels._float_functions import Along
from tpuc.kernels._float_products import Product
from tpuc.kernels._int8 import View
from tpuc.kernels.float_conv import end_of
from tpuc.kernels.float_order import matmul_order
from tpuc.kernels.image import Layout, Need, constant_image
from tpuc.kernels.requant_words import Unfit
from tpuc.simulator.float_elementwise import floats_of
from tpuc.simulator.image_kernel import ImageKernel, planned

__all__ = ["attention_kernel"]

_ADD, _MUL = 0, 2


def _image(batch: int, tokens: int, width: int) -> View:
    """Memory of a float tensor (batch, tokens, width)."""
    layout = Layout((batch, tokens, 1, width), Need(), 0, 4)
    return layout.view(np.zeros(layout.size, np.uint8), 0)


def _product(terms: int, end: _float.End, bias: np.ndarray, turned: bool) -> dict[str, object]:
    """Common arguments of a product of images."""
    fields = {"by_channel": False, "transposes": (False, turned), "end": end}
    return {
        "fields": fields,
        "chunks": np.cumsum(matmul_order(terms).chunks).astype(np.int32),
        "bias": np.ascontiguousarray(bias, np.float32),
    }


def _linear(weight: Value | None, bias: Value | None, dtype: DType) -> Product:
    """round(x w + b) of a constant w (K, N)."""
    matrix = floats_of(weight, "weight")
    if matrix.ndim != 2:
        raise Unfit(f"a weight of shape {matrix.shape}")
    terms, columns = matrix.shape
    flat = np.zeros(columns) if bias is None else floats_of(bias, "bias").reshape(-1)
    if flat.size != columns:
        raise Unfit(f"a bias of {flat.size} numbers")
    right = np.ascontiguousarray(matrix.T).reshape(-1)
    return Product(right=right, **_product(terms, end_of(dtype), flat, False))


def _shape(node: Node) -> tuple[int, int, int, int]:
    """(tokens, width of the input, of a head, of its values)."""
    x = node.inputs[0]
    if x is None or len(x.shape) != 3 or any(v is not None for v in node.inputs[1:3]):
        raise Unfit("keys or values of their own")
    wq, wk, wv = (floats_of(node.inputs[i], "weight").shape for i in (3, 5, 7))
    if not (len(wq) == len(wv) == 2 and wq == wk and wq[0] == wv[0] == x.shape[2]):
        raise Unfit(f"weights of shapes {wq}, {wk} and {wv}")
    if node.integer("head") != 1 or node.output.shape[:2] != x.shape[:2]:
        raise Unfit(f"{node.integer('head')} heads")
    return x.shape[1], wq[0], wq[1], wv[1]


def _mask(node: Node, tokens: int) -> _float.FloatView | None:
    value = node.inputs[11] if len(node.inputs) > 11 else None
    if value is None:
        return None
    flat = floats_of(value, "mask").reshape(-1)
    if flat.size != tokens:
        raise Unfit(f"a mask of shape {value.shape}")
    return constant_image(flat.reshape(1, 1, tokens), 3)


def attention_kernel(node: Node) -> ImageKernel:
    """The kernel of an Attention.

    Raises
    ------
    Unfit : more than one head, or operands that are not constants
    """
    tokens, _, width, depth = _shape(node)
    operands = (*node.inputs, *(None,) * 12)
    dtype, exact = node.output.dtype, end_of(DType.F32)
    query, key, value, out = (_linear(operands[i], operands[i + 1], dtype) for i in (3, 5, 7, 9))
    scores = Product(right=None, **_product(width, exact, np.zeros(tokens), True))
    sums = Product(right=None, **_product(tokens, end_of(dtype), np.zeros(depth), False))
    softmax = Along("softmax", end_of(dtype))
    scale = constant_image(np.array(node.number("scale"), np.float32), 3)
    mask = _mask(node, tokens)

    def plan(sources: Sequence[View], target: View) -> Callable[[int], None]:
        x, batch = sources[0], sources[0].shape[0]
        q, k, v = (_image(batch, tokens, n) for n in (width, width, depth))
        p, s, a = (_image(batch, tokens, n) for n in (tokens, tokens, depth))

        def run(threads: int) -> None:
            for product, made in ((query, q), (key, k), (value, v)):
                product.run(x, x, made, threads)
            scores.run(q, k, p, threads)
            _float_rows.pair(_MUL, exact, p, scale, s, threads)
            if mask is not None:
                _float_rows.pair(_ADD, exact, s, mask, s, threads)
            softmax.run(s, p, threads)
            sums.run(p, v, a, threads)
            out.run(a, a, target, threads)

        return run

    return planned(plan, (node.activations[0],))
