"""Small graphs, one for each way in which an op becomes instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.backends.bm1684x.attention_cases import ATTENTION
from tests.backends.bm1684x.deconvolution_cases import DECONVOLUTION
from tests.backends.bm1684x.movement_cases import MOVEMENT
from tests.kernels.single_op import integers, single_op
from tpuc.ir import DType, Graph, QuantType, Value

S8, U8 = DType.SI8, DType.UI8


def _conv(
    shape: Sequence[int], out: int, kernel: tuple[int, int], types: str = "us", **attrs: Any
) -> Graph:
    rng = np.random.default_rng(len(attrs) + out)
    group = attrs.setdefault("group", 1)
    strides = attrs.setdefault("strides", (1, 1))
    pads = attrs.setdefault("pads", (0, 0, 0, 0))
    dilations = attrs.setdefault("dilations", (1, 1))
    weights = rng.integers(-128, 128, (out, shape[1] // group, *kernel)).astype(np.int8)
    if attrs.pop("unsigned", False):
        weights = weights.view(np.uint8)
    size = [
        (s + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i, s in enumerate(shape[2:])
    ]
    depth = weights[0].size
    attrs["multiplier"] = tuple(int(m) for m in rng.integers(2**29, 2**31 - 1, out))
    attrs["rshift"] = tuple(int(r) for r in rng.integers(35, 39, out) + int(np.log2(depth) / 2))
    bias = None
    if not attrs.pop("plain", False):
        bias = rng.integers(-(2**16), 2**16, out).astype(np.int32)
    kinds = {"u": U8, "s": S8}
    source, result = kinds[types[0]], kinds[types[1]]
    target = ((shape[0], out, *size), result)
    attrs["kernel_shape"] = kernel
    return single_op("Conv2D", [(tuple(shape), source)], target, attrs, [weights, bias])


def _some(shape: tuple[int, ...], kind: type) -> np.ndarray:
    limits = np.iinfo(kind)
    return np.random.default_rng(3).integers(limits.min, limits.max + 1, shape).astype(kind)


def _matmul(rows: tuple[int, ...], depth: int, width: int) -> Graph:
    rng = np.random.default_rng(width)
    weights = rng.integers(-128, 128, (depth, width)).astype(np.int8)
    bias = rng.integers(-(2**12), 2**12, width).astype(np.int32)
    attrs = {"multipliers": (2**30 + 12345,), "rshifts": (40,)}
    source, target = ((*rows, depth), U8), ((*rows, width), S8)
    return single_op("MatMul", [source], target, attrs, [weights, bias])


def _pool(mode: str, shape: tuple[int, ...], size: tuple[int, int], dtype: DType, **more: Any):
    attrs = {"pool_mode": mode, "count_include_pad": True, "strides": (2, 2), **more}
    pads = attrs.setdefault("pads", (0, 0, 0, 0))
    out = [(s + pads[i] + pads[i + 2] - size[i]) // 2 + 1 for i, s in enumerate(shape[2:])]
    attrs["kernel_shape"] = size
    if mode == "Avg":
        attrs |= {"multiplier": 57, "rshift": 9}
    return single_op("Pool2D", [(shape, dtype)], ((*shape[:2], *out), dtype), attrs)


def _pair(op: str, types: tuple[DType, DType, DType], shape=(1, 5, 7, 11), **attrs: Any) -> Graph:
    if op != "Mul":
        attrs = {"multipliers": (93, 29), "rshifts": (7, 5), **attrs}
    else:
        attrs = {"multiplier": 77, "rshift": 13, **attrs}
    return single_op(op, [(shape, types[0]), (shape, types[1])], (shape, types[2]), attrs)


def _softmax(shape: tuple[int, ...], dtype: DType, scale: float) -> Graph:
    table = np.exp(-np.arange(256) * scale).astype(np.float32)
    graph = single_op("Softmax", [(shape, dtype)], (shape, U8), {"axis": 1}, [table])
    graph.outputs[0].quant = QuantType(1 / 255)
    return graph


def _lut(shape: tuple[int, ...], dtype: DType) -> Graph:
    table = np.random.default_rng(1).integers(-128, 128, (1, 1, 1, 256)).astype(np.int8)
    return single_op("Lut", [(shape, dtype)], (shape, S8), {}, [table])


CASES: dict[str, Callable[[], Graph]] = {
    "conv 1x1": lambda: _conv((1, 3, 5, 6), 7, (1, 1)),
    "conv 3x3, two rows of channels": lambda: _conv((1, 70, 9, 8), 130, (3, 3), pads=(1, 1, 1, 1)),
    "conv strides, odd pads": lambda: _conv(
        (2, 5, 17, 13), 9, (5, 2), "su", strides=(3, 2), pads=(2, 0, 1, 1), do_relu=True
    ),
    "conv dilations": lambda: _conv(
        (1, 8, 15, 15), 16, (3, 3), "ss", dilations=(2, 3), pads=(2, 3, 2, 3), plain=True
    ),
    "conv groups": lambda: _conv((1, 12, 6, 6), 8, (3, 3), group=4),
    "conv relu to signed": lambda: _conv((1, 4, 6, 6), 8, (3, 3), "ss", do_relu=True),
    "conv in tiles of rows": lambda: _conv((1, 64, 150, 190), 40, (3, 3), pads=(1, 1, 1, 1)),
    "conv in tiles of channels": lambda: _conv((1, 512, 3, 3), 200, (7, 7), pads=(3, 3, 3, 3)),
    "conv wide": lambda: _conv((1, 1, 4, 60000), 2, (4, 3), "us", pads=(0, 1, 0, 1)),
    "conv of taps": lambda: _conv((1, 3, 40, 41), 32, (3, 3), strides=(2, 2), pads=(0, 1, 1, 1)),
    "conv of columns": lambda: _conv(
        (1, 3, 45, 44), 70, (7, 7), "su", strides=(2, 2), pads=(3, 3, 3, 3), do_relu=True
    ),
    "conv of taps, dilated": lambda: _conv((1, 4, 40, 41), 16, (5, 3), dilations=(3, 2)),
    "depthwise": lambda: _conv((1, 70, 9, 9), 70, (3, 3), "us", group=70, pads=(1, 1, 1, 1)),
    "depthwise strides": lambda: _conv(
        (2, 6, 12, 9), 6, (5, 3), "su", group=6, strides=(2, 1), pads=(2, 1, 1, 1)
    ),
    "depthwise dilations": lambda: _conv((1, 6, 12, 9), 6, (3, 3), group=6, dilations=(2, 2)),
    "depthwise in tiles": lambda: _conv(
        (1, 130, 120, 120), 130, (3, 3), group=130, pads=(1, 1, 1, 1), strides=(2, 2)
    ),
    "matmul of a row": lambda: _matmul((1,), 100, 70),
    "matmul of many": lambda: _matmul((1,), 130, 1000),
    "matmul of rows": lambda: _matmul((2, 9), 70, 33),
    "product of two": lambda: single_op(
        "MatMul",
        [((2, 17, 33), U8), ((2, 33, 40), S8)],
        ((2, 17, 40), S8),
        {"multipliers": (2**30 + 12345,), "rshifts": (39,)},
    ),
    "product turned": lambda: single_op(
        "MatMul",
        [((2, 3, 70, 33), S8), ((2, 3, 90, 33), S8)],
        ((2, 3, 70, 90), U8),
        {"multipliers": (2**30 + 12345,), "rshifts": (39,), "right_transpose": True},
    ),
    "max pool": lambda: _pool("Max", (1, 70, 9, 9), (3, 3), S8, pads=(1, 1, 1, 1)),
    "max pool unsigned": lambda: _pool("Max", (2, 3, 8, 8), (2, 2), U8),
    "average pool": lambda: _pool("Avg", (1, 70, 9, 9), (3, 3), S8, pads=(1, 1, 0, 0)),
    "average pool unsigned": lambda: _pool("Avg", (1, 7, 8, 8), (8, 8), U8),
    "add": lambda: _pair("Add", (S8, S8, S8)),
    "add mixed": lambda: _pair("Add", (U8, S8, S8), (1, 64, 20, 20)),
    "add relu": lambda: _pair("Add", (S8, S8, U8), do_relu=True),
    "add unsigned": lambda: _pair("Add", (U8, U8, U8), do_relu=True),
    "add unsigned to signed": lambda: _pair("Add", (U8, U8, S8), do_relu=True),
    "add in pieces": lambda: _pair("Add", (S8, U8, S8), (1, 65, 130, 131)),
    "sub": lambda: _pair("Sub", (S8, S8, S8)),
    "sub reversed": lambda: _pair("Sub", (U8, S8, U8), is_reverse=True, do_relu=True),
    "mul": lambda: _pair("Mul", (S8, U8, S8)),
    "mul unsigned": lambda: _pair("Mul", (U8, U8, U8), do_relu=True),
    "mul by channel": lambda: single_op(
        "Mul",
        [((1, 70, 1, 1), U8), ((1, 70, 5, 7), S8)],
        ((1, 70, 5, 7), S8),
        {"multiplier": 77, "rshift": 13},
    ),
    "mul by channel, batch": lambda: single_op(
        "Mul",
        [((2, 5, 40, 41), U8), ((2, 5, 1, 1), U8)],
        ((2, 5, 40, 41), U8),
        {"multiplier": 77, "rshift": 15, "do_relu": True},
    ),
    "lut": lambda: _lut((1, 5, 7, 11), S8),
    "lut unsigned": lambda: _lut((1, 3, 50, 51), U8),
    "leaky relu": lambda: single_op(
        "LeakyRelu",
        [((1, 5, 7, 9), S8)],
        ((1, 5, 7, 9), S8),
        {"alpha": 0.1, "multiplier": 13, "rshift": 7},
    ),
    "relu by slopes": lambda: single_op(
        "PRelu",
        [((2, 5, 7, 9), S8)],
        ((2, 5, 7, 9), S8),
        {"rshift": 6},
        [_some((1, 5, 1, 1), np.int8)],
    ),
    "relu": lambda: single_op("Relu", [((1, 5, 7, 9), S8)], ((1, 5, 7, 9), U8), {}),
    "concat": lambda: single_op(
        "Concat", [((2, c, 3, 5), S8) for c in (3, 70, 1)], ((2, 74, 3, 5), S8), {"axis": 1}
    ),
    "concat last": lambda: single_op(
        "Concat", [((2, 3, w), S8) for w in (3, 7)], ((2, 3, 10), S8), {"axis": 2}
    ),
    "add a constant": lambda: single_op(
        "Add",
        [((1, 3, 7, 11), U8)],
        ((1, 3, 7, 11), U8),
        {"multipliers": (93, 29), "rshifts": (7, 5)},
        [_some((1, 3, 1, 11), np.int8)],
    ),
    "mul by a row": lambda: single_op(
        "Mul",
        [((1, 4, 80), U8)],
        ((1, 4, 80), U8),
        {"multiplier": 77, "rshift": 14},
        [_some((1, 1, 80), np.uint8)],
    ),
    "mul by a column": lambda: single_op(
        "Mul",
        [((2, 4, 80), U8), ((2, 4, 1), S8)],
        ((2, 4, 80), S8),
        {"multiplier": 77, "rshift": 14},
    ),
    "conv unsigned filter": lambda: _conv((1, 16, 4, 8), 3, (1, 1), "uu", unsigned=True),
    "concat a constant": lambda: single_op(
        "Concat", [((1, 3, 5), S8)], ((1, 5, 5), S8), {"axis": 1}, [_some((1, 2, 5), np.int8)]
    ),
    "softmax": lambda: _softmax((2, 16, 4, 9), S8, 0.031),
    "softmax unsigned": lambda: _softmax((1, 70, 5, 3), U8, 0.11),
    "reshape": lambda: single_op("Reshape", [((2, 7, 9), U8)], ((14, 9), U8), {"shape": (14, 9)}),
    **ATTENTION,
    **DECONVOLUTION,
    **MOVEMENT,
}


def feeds_of(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    """Integers with many extremes for every input."""
    rng = np.random.default_rng(seed)
    return {v.name: integers(rng, v.shape, v.users[0].output.dtype) for v in graph.inputs}


def together(names: Sequence[str]) -> Graph:
    """Several cases as one network."""
    whole = Graph("cases", "tpu")
    for name in names:
        twin: dict[int, Value] = {}
        for node in CASES[name]().nodes:
            for old in (*node.inputs, *node.outputs):
                if old is not None and id(old) not in twin:
                    label = f"{name}/{old.name}"
                    twin[id(old)] = Value(label, old.shape, old.dtype, old.quant, old.data)
            inputs = [None if v is None else twin[id(v)] for v in node.inputs]
            whole.add(node.op, inputs, [twin[id(v)] for v in node.outputs], node.attrs)
        whole.outputs.append(whole.nodes[-1].output)
    return whole
