"""Ops that only move numbers, of bytes and floats, equal the numpy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernels.float_op import check_float, float_op
from tests.kernels.single_op import check, single_op
from tpuc.ir import DType, Node, Value
from tpuc.ir.shapes import infer_shapes
from tpuc.kernels.strided import common_split, copying
from tpuc.simulator.plan import alias_of

ANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TYPES = st.sampled_from([DType.SI8, DType.UI8, DType.F32, DType.F16])
SHAPES = st.lists(st.integers(1, 7), min_size=2, max_size=6).map(tuple) | st.sampled_from(
    [(1, 40, 3, 37), (2, 16, 16, 16), (1, 35, 70), (2, 3, 18, 17, 33)]
)


def _moves(op: str, shape: tuple[int, ...], attrs: dict[str, Any], dtype: DType) -> None:
    """Checks an op on the reference."""
    value, result = Value("x", shape, dtype), Value("y", (), dtype)
    node = Node(op, [value], [result], attrs)
    (out,) = infer_shapes(node)
    result.shape = out
    if alias_of(node) is not None:
        return
    if dtype.is_float:
        check_float(float_op(op, [shape], out, attrs, dtype))
        return
    check(single_op(op, [(shape, dtype)], (out, dtype), attrs))


@ANY
@given(shape=SHAPES, dtype=TYPES, data=st.data())
def test_permute(shape: tuple[int, ...], dtype: DType, data: st.DataObject, isa: str) -> None:
    # the batch stays first, so that batches can run at once
    rest = data.draw(st.permutations(range(1, len(shape))))
    _moves("Permute", shape, {"order": (0, *rest)}, dtype)


def test_permute_of_the_batch(isa: str) -> None:
    shape, order = (2, 5, 3, 4, 6), (2, 0, 3, 1, 4)
    check(
        single_op("Permute", [(shape, DType.SI8)], ((3, 2, 4, 5, 6), DType.SI8), {"order": order})
    )


@ANY
@given(shape=SHAPES, dtype=TYPES, data=st.data())
def test_slice(shape: tuple[int, ...], dtype: DType, data: st.DataObject, isa: str) -> None:
    axes = data.draw(st.lists(st.integers(1, len(shape) - 1), unique=True, min_size=1))
    offset, steps, ends = [], [], []
    for axis in axes:
        first = data.draw(st.integers(0, shape[axis] - 1))
        step = data.draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        count = data.draw(st.integers(1, 1 + (first if step < 0 else shape[axis] - 1 - first)))
        last = first + (count if step > 0 else -count)
        offset.append(first)
        steps.append(step)
        ends.append(last if last >= 0 else -shape[axis] - 1)
    attrs = {k: tuple(v) for k, v in zip(("offset", "steps", "ends"), (offset, steps, ends))}
    _moves("Slice", shape, {**attrs, "axes": tuple(axes)}, dtype)


@ANY
@given(shape=SHAPES, dtype=TYPES, data=st.data())
def test_tile(shape: tuple[int, ...], dtype: DType, data: st.DataObject, isa: str) -> None:
    counts = data.draw(
        st.lists(st.integers(1, 3), min_size=len(shape) - 1, max_size=len(shape) - 1)
    )
    _moves("Tile", shape, {"tile": (1, *counts)}, dtype)


@ANY
@given(
    shape=SHAPES.filter(lambda s: len(s) == 4),
    dtype=TYPES,
    mode=st.sampled_from(["constant", "edge", "reflect"]),
    data=st.data(),
)
def test_pad(
    shape: tuple[int, ...], dtype: DType, mode: str, data: st.DataObject, isa: str
) -> None:
    free = [
        0,
        0 if mode != "constant" else 3,
        *(3 if mode != "reflect" else s - 1 for s in shape[2:]),
    ]
    widths = [[data.draw(st.integers(0, most)) for most in free] for _ in range(2)]
    value = data.draw(st.sampled_from([0.0, 7.0, -3.0, 300.0, -300.0]))
    _moves("Pad", shape, {"mode": mode, "paddings": (*widths[0], *widths[1]), "val": value}, dtype)


@ANY
@given(
    shape=SHAPES.filter(lambda s: len(s) == 4),
    dtype=TYPES,
    scale=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    relu=st.booleans(),
)
def test_upsample(
    shape: tuple[int, ...], dtype: DType, scale: tuple[int, int], relu: bool, isa: str
) -> None:
    attrs = {"scale_h": scale[0], "scale_w": scale[1], "do_relu": relu, "relu_limit": -1.0}
    _moves("Upsample", shape, attrs, dtype)


@ANY
@given(
    small=st.tuples(*[st.integers(1, 5)] * 4),
    block=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dtype=TYPES,
    crd=st.booleans(),
    inverse=st.booleans(),
)
def test_depth2space(
    small: tuple[int, ...],
    block: tuple[int, int],
    dtype: DType,
    crd: bool,
    inverse: bool,
    isa: str,
) -> None:
    (n, c, h, w), (bh, bw) = small, block
    shape = (n, c, h * bh, w * bw) if inverse else (n, c * bh * bw, h, w)
    attrs = {"block_h": bh, "block_w": bw, "is_CRD": crd, "is_inversed": inverse}
    _moves("Depth2Space", shape, {**attrs, "in_is_NCHW": True, "out_is_NCHW": True}, dtype)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("dtype", [DType.SI8, DType.F32])
def test_patches_of_channels_last(swapped: bool, dtype: DType, isa: str) -> None:
    attrs = {"block_h": 2, "block_w": 3, "is_CRD": False, "is_inversed": True, "swap_cr": swapped}
    nchw = {"in_is_NCHW": False, "out_is_NCHW": False}
    _moves("Depth2Space", (2, 8, 15, 19), {**attrs, **nchw}, dtype)


@ANY
@given(shape=SHAPES, dtype=TYPES, data=st.data())
def test_swap_dim_inner(
    shape: tuple[int, ...], dtype: DType, data: st.DataObject, isa: str
) -> None:
    offset = (0, *(data.draw(st.integers(0, s - 1)) for s in shape[1:]))
    _moves("SwapDimInner", shape, {"offset": offset}, dtype)


@ANY
@given(shape=SHAPES, dtype=TYPES, data=st.data())
def test_reshape(shape: tuple[int, ...], dtype: DType, data: st.DataObject, isa: str) -> None:
    parts: list[int] = [shape[0]]
    for size in shape[1:]:  # split some axes, join some
        divisor = data.draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0]))
        parts += [divisor, size // divisor]
    joined: list[int] = []
    for part in parts[1:]:
        join = bool(joined) and (len(parts) - len(joined) > 6 or data.draw(st.booleans()))
        joined = [*joined[:-1], joined[-1] * part] if join else [*joined, part]
    joined = joined if len(joined) <= 5 else [*joined[:4], int(np.prod(joined[4:]))]
    _moves("Reshape", shape, {"shape": (shape[0], *joined)}, dtype)


@pytest.mark.parametrize("axis", [2, 3, -1])
@pytest.mark.parametrize("dtype", [DType.SI8, DType.UI8, DType.F32])
def test_concat_along_other_axes(axis: int, dtype: DType, isa: str) -> None:
    shapes = [(2, 19, 5, 4), (2, 19, 5, 4), (2, 19, 5, 4)]
    shapes = [s[: axis % 4] + (i + 1,) + s[axis % 4 + 1 :] for i, s in enumerate(shapes)]
    out = tuple(s if i != axis % 4 else 6 for i, s in enumerate(shapes[0]))
    if dtype.is_float:
        check_float(float_op("Concat", shapes, out, {"axis": axis}, dtype))
    else:
        check(single_op("Concat", [(s, dtype) for s in shapes], (out, dtype), {"axis": axis}))


@settings(ANY, max_examples=100)
@given(
    shape=st.lists(st.integers(1, 20), min_size=1, max_size=4).map(tuple),
    kind=st.sampled_from([np.uint8, np.float32]),
    data=st.data(),
)
def test_copies_between_any_views(
    shape: tuple[int, ...], kind: type, data: st.DataObject, isa: str
) -> None:
    """Any order of axes on both sides, gaps, backward axes."""
    rng = np.random.default_rng(0)

    def view(fill: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        order = data.draw(st.permutations(range(len(shape))))
        wide = [shape[i] * data.draw(st.integers(1, 2)) for i in order]
        owner = np.zeros(wide, kind)
        if fill is not None:
            owner[...] = np.resize(fill, wide)
        steps = [w // shape[i] * data.draw(st.sampled_from([1, -1])) for w, i in zip(wide, order)]
        part = owner[tuple(slice(None, None, s) for s in steps)]
        return owner, part.transpose([order.index(i) for i in range(len(shape))])

    _, source = view(rng.integers(1, 256, 40**2).astype(kind))
    owner, target = view(None)
    move = copying(source, target)
    assert move is not None
    move.run(2)
    np.testing.assert_array_equal(target, source)
    assert np.count_nonzero(owner) == target.size  # nothing between was written


def test_copies_check_shapes_and_types() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) to"):
        copying(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="uint8"):
        copying(np.zeros(3, np.uint8), np.zeros(3))


def test_common_axes() -> None:
    assert common_split((4, 6), (2, 12)) == (((2, 2), (6,)), ((2,), (2, 6)))
    assert common_split((1, 116, 5), (1, 2, 58, 5)) == (
        ((), (2, 58), (5,)),
        ((), (2,), (58,), (5,)),
    )
    assert common_split((3, 1), (1, 3)) == (((3,), ()), ((), (3,)))
