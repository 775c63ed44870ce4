"""RotaryEmbedding of ONNX as onnxruntime computes it; what cannot be one Rope is told."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.onnx_models import build, constants, expected, save, weights
from tpuc.errors import UnsupportedError
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.passes import canonicalize

TOKENS, SIZE = 5, 8
ROWS = {"c": weights(1, TOKENS, SIZE // 2), "s": weights(1, TOKENS, SIZE // 2, seed=1)}
TABLE = {"c": weights(9, SIZE // 2), "s": weights(9, SIZE // 2, seed=1)}
PLACES = constants(p=[[0, 3, 8, 1, 1]])
CASES = {
    "halves": ("", (1, 3, TOKENS, SIZE), ROWS, "x, c, s"),
    "pairs": ("<interleaved=1>", (1, 3, TOKENS, SIZE), ROWS, "x, c, s"),
    "two samples": ("", (2, 3, TOKENS, SIZE), {k: v.repeat(2, 0) for k, v in ROWS.items()}, ""),
    "places": ("<interleaved=1>", (1, 3, TOKENS, SIZE), TABLE | PLACES, "x, c, s, p"),
    "flat": ("<num_heads=3>", (1, TOKENS, 3 * SIZE), ROWS, "x, c, s"),
    "part of the pairs": (
        "<interleaved=1, rotary_embedding_dim=4>",
        (1, 3, TOKENS, SIZE),
        {k: v[..., :2] for k, v in ROWS.items()},
        "x, c, s",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_onnxruntime(case, tmp_path):
    attributes, shape, data, operands = CASES[case]
    body = f"y = RotaryEmbedding{attributes}({operands or 'x, c, s'})"
    model = build(body, data, opset=23, shape=shape)
    x = weights(*shape, seed=2)
    graph = read_onnx(save(model, tmp_path))
    canonicalize(graph)
    assert [n.op for n in graph if n.op not in ("Input", "Reshape")] == ["Rope"]
    (found,) = run(graph, {"x": x}).values()
    np.testing.assert_allclose(found, expected(model, x)[0], rtol=1e-6, atol=1e-6)


BAD = {
    "samples differ": ("", (2, 3, TOKENS, SIZE), "the same for each sample"),
    "part of the halves": ("<rotary_embedding_dim=4>", (1, 3, TOKENS, SIZE), "in halves"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_rope_is_told(case, tmp_path):
    attributes, shape, said = BAD[case]
    rows = {k: weights(shape[0], TOKENS, SIZE // 2, seed=3) for k in ROWS}
    body = f"y = RotaryEmbedding{attributes}(x, c, s)"
    with pytest.raises(UnsupportedError, match=said):
        read_onnx(save(build(body, rows, opset=23, shape=shape), tmp_path))
