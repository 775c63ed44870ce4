"""`placed` says where preprocessing puts a pixel: checked with a dot in a picture."""

from __future__ import annotations

import numpy as np
import pytest

from tests.dataset.graphs import input_graph
from tpuc.dataset import placed, preprocess_picture
from tpuc.frontend import Preprocess


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (61, 200)])
@pytest.mark.parametrize(
    "preprocess",
    [
        Preprocess(),
        Preprocess(resize_dims=(80, 72)),
        Preprocess(keep_aspect_ratio=True),
        Preprocess(keep_aspect_ratio=True, pad_type="normal", resize_dims=(70, 80)),
        Preprocess(keep_aspect_ratio=True, keep_ratio_mode="short_side_scale"),
        Preprocess(
            keep_aspect_ratio=True, keep_ratio_mode="short_side_scale", resize_dims=(70, 80)
        ),
    ],
)
def test_a_dot_lands_there(preprocess: Preprocess, size: tuple[int, int]) -> None:
    height, width = size
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2 - 4, width // 2 + 3
    picture[top : top + 8, left : left + 8] = 255
    (node,) = [n for n in input_graph({"x": (1, 3, 64, 64)}, preprocess).nodes if n.op == "Input"]
    x = preprocess_picture(picture, node.attrs, (64, 64))[0, 0]
    rows, columns = np.indices(x.shape)
    found = [(v * x).sum() / x.sum() + 0.5 for v in (columns, rows)]
    scale, shift = placed((width, height), node.attrs, (64, 64))
    expected = [(left + 4) * scale[0] + shift[0], (top + 4) * scale[1] + shift[1]]
    assert np.allclose(found, expected, atol=0.3)
