"""Small graphs of float ops, one for each way in which an op becomes instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tests.backends.bm1684x.deconvolution_cases import size_of
from tpuc.ir import DType, Graph, Node, QuantType, Value, with_defaults
from tpuc.kernels.casts import round_to

F32, F16, BF16, S8, U8 = DType.F32, DType.F16, DType.BF16, DType.SI8, DType.UI8
TYPES = (F32, F16, BF16)


def float_op(
    op: str,
    dtype: DType,
    inputs: Sequence[Sequence[int]],
    out: Sequence[int],
    attrs: dict[str, Any] | None = None,
    weights: Sequence[np.ndarray | None] = (),
) -> Graph:
    """Inputs -> casts to the type -> op -> cast to float32; operands: inputs, then weights."""
    graph = Graph(f"{op} {dtype}", "tpu")
    operands: list[Value | None] = []
    for index, shape in enumerate(inputs):
        source = Value(f"in{index}", tuple(shape))
        graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
        operands.append(_cast(graph, source, dtype, f"q{index}"))
    for index, data in enumerate(weights):
        if data is not None:
            data = round_to(data.astype(np.float32), dtype)
            operands.append(Value(f"w{index}", data.shape, dtype, None, data))
        else:
            operands.append(None)
    result = Value("y", tuple(out), dtype)
    graph.add(op, operands, [result], with_defaults(op, attrs or {}, "tpu"))
    graph.outputs = [_cast(graph, result, F32, "out")]
    return graph


def _cast(graph: Graph, value: Value, dtype: DType, name: str) -> Value:
    if value.dtype == dtype:
        return value
    target = Value(name, value.shape, dtype)
    graph.add("Cast", [value], [target], with_defaults("Cast", {}, "tpu"))
    return target


def _through(steps: Sequence[tuple[DType, float | None]], shape: Sequence[int]) -> Graph:
    """A chain of casts from and to float32."""
    graph = Graph("casts", "tpu")
    value = Value("in0", tuple(shape))
    graph.add("Input", [], [value], with_defaults("Input", {}, "tpu"))
    for index, (dtype, scale) in enumerate(steps):
        target = Value(f"c{index}", tuple(shape), dtype, QuantType(scale) if scale else None)
        graph.add("Cast", [value], [target], with_defaults("Cast", {}, "tpu"))
        value = target
    graph.outputs = [_cast(graph, value, F32, "out")]
    return graph


def _conv(dtype: DType, shape: Sequence[int], out: int, kernel: tuple[int, int], **attrs: Any):
    rng = np.random.default_rng(out)
    attrs = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "group": 1, **attrs}
    pads, strides, dilations = attrs["pads"], attrs["strides"], attrs["dilations"]
    size = [
        (s + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1
        for i, s in enumerate(shape[2:])
    ]
    depth = shape[1] // attrs["group"]
    weights = rng.normal(size=(out, depth, *kernel)) / np.sqrt(depth * kernel[0] * kernel[1])
    bias = None if attrs.pop("plain", False) else rng.normal(size=out)
    target = shape[0], out, *size
    return float_op(
        "Conv2D", dtype, [shape], target, {"kernel_shape": kernel, **attrs}, [weights, bias]
    )


def _deconv(dtype: DType, shape: tuple[int, ...], out: int, kernel: tuple[int, int], **attrs: Any):
    rng = np.random.default_rng(out)
    defaults = {"strides": (2, 2), "pads": (1, 1, 1, 1), "dilations": (1, 1), "group": 1}
    attrs = {**defaults, **attrs, "kernel_shape": kernel}
    depth = shape[1] // attrs["group"]
    weights = rng.normal(size=(out, depth, *kernel)) / np.sqrt(depth * kernel[0] * kernel[1])
    target = shape[0], out, *size_of(shape, kernel, attrs)
    return float_op("Deconv", dtype, [shape], target, attrs, [weights, rng.normal(size=out)])


def _matmul(dtype: DType, rows: tuple[int, ...], depth: int, width: int, **attrs: Any) -> Graph:
    rng = np.random.default_rng(width)
    weights = rng.normal(size=(depth, width)) / np.sqrt(depth)
    if attrs.get("right_transpose"):
        weights = weights.T
    target = *rows, width
    bias = rng.normal(size=width)
    return float_op("MatMul", dtype, [(*rows, depth)], target, attrs, [weights, bias])


def _pool(dtype: DType, mode: str, shape: Sequence[int], size: tuple[int, int], **more: Any):
    attrs = {"pool_mode": mode, "count_include_pad": True, "strides": (2, 2), **more}
    pads = attrs.setdefault("pads", (0, 0, 0, 0))
    out = [(s + pads[i] + pads[i + 2] - size[i]) // 2 + 1 for i, s in enumerate(shape[2:])]
    return float_op("Pool2D", dtype, [shape], (*shape[:2], *out), {"kernel_shape": size, **attrs})


def _active(dtype: DType, mode: str, coeffs: tuple[float, ...] = ()) -> Graph:
    shape = 1, 5, 7, 11
    return float_op("Active", dtype, [shape], shape, {"mode": mode, "coeffs": coeffs})


_PICTURE = (1, 5, 7, 11)
_Make = Callable[[DType], Graph]


def _norm(dtype: DType, shape: tuple[int, ...], axis: int) -> Graph:
    rng = np.random.default_rng(axis)
    weights = [rng.normal(size=shape[axis:]) for _ in range(2)]
    attrs = {"axis": axis, "eps": 1e-5, "normalized_shape": shape[axis:]}
    return float_op("LayerNorm", dtype, [shape], shape, attrs, weights)


def _grouped(dtype: DType, op: str, shape: tuple[int, ...], **attrs: Any) -> Graph:
    rng = np.random.default_rng(shape[1])
    size = shape[-1:] if op == "RMSNorm" else (shape[1],)
    weights = [rng.normal(size=size) for _ in range(1 if op == "RMSNorm" else 2)]
    return float_op(op, dtype, [shape], shape, {"eps": 1e-5, **attrs}, weights)


def _reduce(dtype: DType, mode: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> Graph:
    out = tuple(1 if i in axes else n for i, n in enumerate(shape))
    attrs = {"axes": axes, "keepdims": True, "mode": mode}
    return float_op("Reduce", dtype, [shape], out, attrs)


SUMS: dict[str, _Make] = {
    "layer norm": lambda t: _norm(t, (2, 70, 48), 2),
    "layer norm of two axes": lambda t: _norm(t, (3, 4, 5), 1),
    "rms norm": lambda t: _grouped(t, "RMSNorm", (2, 70, 48)),
    "group norm": lambda t: _grouped(t, "GroupNorm", (2, 12, 5, 7), num_groups=3),
    "instance norm": lambda t: _grouped(t, "InstanceNorm", (2, 70, 5, 7)),
    "mean": lambda t: _reduce(t, "ReduceMean", (2, 70, 5, 6), (2, 3)),
    "mean of channels": lambda t: _reduce(t, "ReduceMean", (2, 70, 5, 6), (1,)),
    "sum of absolutes": lambda t: _reduce(t, "ReduceL1", (2, 3, 70), (2,)),
    "length": lambda t: _reduce(t, "ReduceL2", (2, 9, 70), (2,)),
    "smallest": lambda t: _reduce(t, "ReduceMin", (2, 9, 70), (1,)),
    "sum": lambda t: _reduce(t, "ReduceSum", (2, 3, 70), (2,)),
    "conv 1x1": lambda t: _conv(t, (1, 3, 5, 6), 7, (1, 1)),
    "conv 3x3, two rows of channels": lambda t: _conv(
        t, (1, 70, 9, 8), 130, (3, 3), pads=(1, 1, 1, 1)
    ),
    "conv strides, odd pads": lambda t: _conv(
        t, (2, 5, 17, 13), 9, (5, 2), strides=(3, 2), pads=(2, 0, 1, 1), do_relu=True
    ),
    "conv dilations, no bias": lambda t: _conv(
        t, (1, 8, 15, 15), 16, (3, 3), dilations=(2, 3), pads=(2, 3, 2, 3), plain=True
    ),
    "conv groups, relu6": lambda t: _conv(
        t, (1, 12, 6, 6), 8, (3, 3), group=4, do_relu=True, relu_limit=6.0
    ),
    "deconv": lambda t: _deconv(t, (1, 70, 9, 8), 130, (4, 4), do_relu=True),
    "deconv of each channel": lambda t: _deconv(t, (2, 70, 6, 5), 70, (3, 3), group=70),
    "deconv of lines": lambda t: float_op(
        "Deconv",
        t,
        [(2, 5, 9)],
        (2, 7, 18),
        {"strides": (2,), "pads": (1, 1), "dilations": (1,), "group": 1, "kernel_shape": (4,)},
        [np.linspace(-1, 1, 140).reshape(7, 5, 4), np.linspace(-2, 2, 7)],
    ),
    "larger": lambda t: _interp(t, "linear", "half_pixel", (9, 7, 18, 28)),
    "larger by a fraction": lambda t: _interp(t, "linear", "align_corners", (5, 8, 9, 13)),
    "smaller": lambda t: _interp(t, "linear", "pytorch_half_pixel", (70, 30, 21, 12)),
    "conv in tiles": lambda t: _conv(t, (1, 4, 300, 300), 4, (3, 3), pads=(1, 1, 1, 1)),
    "depthwise": lambda t: _conv(t, (1, 70, 9, 9), 70, (3, 3), group=70, pads=(1, 1, 1, 1)),
    "depthwise of one tap": lambda t: _conv(t, (1, 130, 5, 5), 130, (1, 1), group=130),
    "conv 1x1 of one channel": lambda t: _conv(t, (1, 1, 5, 5), 130, (1, 1)),
    "depthwise in tiles": lambda t: _conv(
        t, (1, 130, 120, 120), 130, (3, 3), group=130, pads=(1, 1, 1, 1), strides=(2, 2)
    ),
    "matmul of a row": lambda t: _matmul(t, (1,), 100, 70),
    "matmul of rows": lambda t: _matmul(t, (2, 9), 70, 33, do_relu=True),
    "product of two": lambda t: float_op(
        "MatMul", t, [(2, 3, 17, 33), (2, 3, 33, 40)], (2, 3, 17, 40)
    ),
    "product of a turned one": lambda t: float_op(
        "MatMul", t, [(2, 33, 70), (2, 33, 17)], (2, 70, 17), {"left_transpose": True}
    ),
    "product turned": lambda t: float_op(
        "MatMul", t, [(2, 70, 33), (2, 90, 33)], (2, 70, 90), {"right_transpose": True}
    ),
    "matmul turned": lambda t: _matmul(t, (3, 5), 40, 70, right_transpose=True),
    "average pool": lambda t: _pool(t, "Avg", (1, 70, 9, 9), (3, 3), pads=(1, 1, 0, 0)),
    "average of all": lambda t: _pool(t, "Avg", (1, 70, 8, 8), (8, 8)),
}


def _attention(dtype: DType, batch: int, tokens: int, masked: bool) -> Graph:
    rng = np.random.default_rng(tokens)
    width, dim = 40, 24
    shapes = [(width, dim), (dim,)] * 3 + [(dim, width), (width,)]
    weights = [None, None, *(rng.normal(size=s) / np.sqrt(s[0]) for s in shapes)]
    inputs = [(batch, tokens, width)] + [(batch, 1, 1, tokens)] * masked
    attrs = {"head": 1, "dim": dim, "has_bias": 15, "scale": dim**-0.5}
    graph = float_op("Attention", dtype, inputs, inputs[0], attrs, weights)
    if masked:  # the mask comes behind the weights
        node = next(n for n in graph.nodes if n.op == "Attention")
        order = [0, *range(2, len(node.inputs)), 1]
        node.inputs = tuple(node.inputs[i] for i in order)
        node.inputs[-1].uses[:] = [(node, len(order) - 1)]
    return graph


ATTENTION: dict[str, _Make] = {
    "attention": lambda t: _attention(t, 2, 17, False),
    "attention with a mask": lambda t: _attention(t, 2, 70, True),
}


def _interp(dtype: DType, mode: str, coord: str, sizes: tuple[int, int, int, int]) -> Graph:
    h, w, th, tw = sizes
    attrs = {"mode": mode, "coord_mode": coord, "scale_h": th / h, "scale_w": tw / w}
    return float_op("Interp", dtype, [(2, 3, h, w)], (2, 3, th, tw), attrs)


PLAIN: dict[str, _Make] = {
    "max pool": lambda t: _pool(t, "Max", (1, 70, 9, 9), (3, 3), pads=(1, 1, 1, 1)),
    "add": lambda t: float_op("Add", t, [_PICTURE] * 2, _PICTURE, {"do_relu": True}),
    "add of three": lambda t: float_op("Add", t, [_PICTURE] * 3, _PICTURE),
    "add in pieces": lambda t: float_op("Add", t, [(1, 65, 130, 131)] * 2, (1, 65, 130, 131)),
    "add a constant tensor": lambda t: float_op(
        "Add", t, [_PICTURE], _PICTURE, {}, [np.arange(77.0).reshape(1, 1, 7, 11)]
    ),
    "sub": lambda t: float_op("Sub", t, [_PICTURE] * 2, _PICTURE, {"is_reverse": True}),
    "mul": lambda t: float_op("Mul", t, [_PICTURE] * 2, _PICTURE),
    "mul by channel": lambda t: float_op("Mul", t, [_PICTURE, (1, 5, 1, 1)], _PICTURE),
    "mul by pixel": lambda t: float_op("Mul", t, [(2, 1, 7, 11), (2, 70, 7, 11)], (2, 70, 7, 11)),
    "mul by row": lambda t: float_op("Mul", t, [(3, 70, 7), (3, 70, 1)], (3, 70, 7)),
    "max": lambda t: float_op("Max", t, [_PICTURE] * 2, _PICTURE),
    "min": lambda t: float_op("Min", t, [_PICTURE, (5, 7, 1)], _PICTURE),
    "add constant": lambda t: float_op("AddConst", t, [_PICTURE], _PICTURE, {"const_val": 0.3}),
    "sub constant": lambda t: float_op(
        "SubConst", t, [_PICTURE], _PICTURE, {"const_val": 1.0, "is_reverse": True}
    ),
    "mul constant": lambda t: float_op("MulConst", t, [_PICTURE], _PICTURE, {"const_val": 0.1}),
    "max constant": lambda t: float_op("MaxConst", t, [_PICTURE], _PICTURE, {"const_val": 0.25}),
    "relu": lambda t: float_op("Relu", t, [_PICTURE], _PICTURE),
    "relu6": lambda t: float_op("Relu", t, [_PICTURE], _PICTURE, {"relu_limit": 6.0}),
    "clip": lambda t: float_op("Clip", t, [_PICTURE], _PICTURE, {"min": -1.0, "max": 2.0}),
    "leaky relu": lambda t: float_op("LeakyRelu", t, [_PICTURE], _PICTURE, {"alpha": 0.1}),
    "relu by slopes": lambda t: float_op(
        "PRelu", t, [_PICTURE], _PICTURE, {}, [np.linspace(-0.5, 1.5, 5).reshape(1, 5, 1, 1)]
    ),
    "concat": lambda t: float_op(
        "Concat", t, [(2, c, 3, 5) for c in (3, 70, 1)], (2, 74, 3, 5), {"axis": 1}
    ),
    "permute": lambda t: float_op(
        "Permute", t, [(2, 3, 4, 5)], (2, 5, 3, 4), {"order": (0, 3, 1, 2)}
    ),
    "slice": lambda t: float_op(
        "Slice",
        t,
        [(2, 7, 9)],
        (2, 3, 4),
        {"offset": (0, 1, -4), "steps": (1, 2, 1), "ends": (2, 7, 9)},
    ),
    "upsample": lambda t: float_op(
        "Upsample", t, [(1, 5, 3, 4)], (1, 5, 6, 12), {"scale_h": 2, "scale_w": 3}
    ),
    "nearest": lambda t: _interp(t, "nearest", "half_pixel", (7, 9, 10, 15)),
    "nearest below": lambda t: _interp(t, "nearest", "asymmetric", (6, 9, 12, 6)),
    "reshape": lambda t: float_op("Reshape", t, [(2, 7, 9)], (14, 9), {"shape": (14, 9)}),
    "absolute": lambda t: _active(t, "ABSVAL"),
    "sign": lambda t: _active(t, "SIGN"),
    "floor": lambda t: _active(t, "FLOOR"),
    "ceil": lambda t: _active(t, "CEIL"),
    "round": lambda t: _active(t, "ROUND"),
}


FUNCTIONS: dict[str, _Make] = {
    "softmax": lambda t: float_op("Softmax", t, [(2, 3, 50)], (2, 3, 50), {"axis": 2}),
    "softmax of channels": lambda t: float_op(
        "Softmax", t, [(2, 16, 5, 7)], (2, 16, 5, 7), {"axis": 1}
    ),
    "softmax in parts": lambda t: float_op("Softmax", t, [(600, 900)], (600, 900), {"axis": 1}),
    "largest": lambda t: _reduce(t, "ReduceMax", (2, 3, 70), (2,)),
    "sigmoid": lambda t: _active(t, "SIGMOID", (1.0, 0.0)),
    "sigmoid of a line": lambda t: _active(t, "SIGMOID", (1.5, -0.5)),
    "silu": lambda t: _active(t, "SILU"),
    "gelu": lambda t: _active(t, "GELU"),
    "gelu by tanh": lambda t: _active(t, "TGELU"),
    "gelu by sigmoid": lambda t: _active(t, "QGELU"),
    "hard sigmoid": lambda t: _active(t, "HSIGMOID", (0.5, 1 / 6)),
    "hard swish": lambda t: _active(t, "HSWISH"),
    "tanh": lambda t: _active(t, "TANH"),
    "elu": lambda t: _active(t, "ELU", (0.7,)),
    "mish": lambda t: _active(t, "MISH"),
    "erf": lambda t: _active(t, "ERF"),
    "exp": lambda t: _active(t, "EXP"),
    "logarithm": lambda t: _active(t, "LN"),
    "logarithm of a sigmoid": lambda t: _active(t, "LOG_SIGMOID", (1.0, 0.0)),
    "soft plus": lambda t: _active(t, "SOFT_PLUS"),
    "sine": lambda t: _active(t, "SIN"),
    "cosine": lambda t: _active(t, "COS"),
    "third power": lambda t: float_op("Pow", t, [_PICTURE], _PICTURE, {"exponent": 3.0}),
    "inverse root": lambda t: float_op("Pow", t, [_PICTURE], _PICTURE, {"exponent": -0.5}),
    "power of halves": lambda t: float_op("Pow", t, [_PICTURE], _PICTURE, {"exponent": 2.5}),
    "any power": lambda t: float_op("Pow", t, [_PICTURE], _PICTURE, {"exponent": 1.7}),
    "any power below 0": lambda t: float_op("Pow", t, [_PICTURE], _PICTURE, {"exponent": -0.3}),
    "softsign": lambda t: _active(t, "SOFT_SIGN"),
    "div": lambda t: float_op("Div", t, [_PICTURE] * 2, _PICTURE),
}


def _gather(dtype: DType, axis: int = 0) -> Graph:
    graph = Graph("gather", "tpu")
    places = Value("places", (2, 9), DType.SI32, QuantType(1.0))
    graph.add("Input", [], [places], with_defaults("Input", {}, "tpu"))
    table = round_to(np.random.default_rng(0).normal(size=(70, 33)).astype(np.float32), dtype)
    if axis:
        table = np.ascontiguousarray(np.stack([table, -table]))
    result = Value("y", (*(2,) * axis, 2, 9, 33), dtype)
    operands = [Value("table", table.shape, dtype, None, table), places]
    graph.add("Gather", operands, [result], with_defaults("Gather", {"axis": axis}, "tpu"))
    graph.outputs = [_cast(graph, result, F32, "out")]
    return graph


def _counts() -> Graph:
    graph = Graph("counts", "tpu")
    counts = Value("counts", (1, 50), DType.SI32, QuantType(1.0))
    graph.add("Input", [], [counts], with_defaults("Input", {}, "tpu"))
    graph.outputs = [_cast(graph, counts, F32, "out")]
    return graph


CASES_OF_ONE_TYPE: dict[str, Callable[[], Graph]] = {
    "to int8 by f16": lambda: _through([(F16, None), (S8, 0.037), (F16, None)], _PICTURE),
    "to uint8 by f16": lambda: _through([(F16, None), (U8, 0.0123), (F16, None)], _PICTURE),
    "to int8 by bf16": lambda: _through([(BF16, None), (S8, 0.037), (BF16, None)], _PICTURE),
    "int8 to float32": lambda: _through([(S8, 0.037), (F32, None)], _PICTURE),
    "rows of a table f16": lambda: _gather(F16),
    "rows of a table f32": lambda: _gather(F32),
    "rows of two tables f16": lambda: _gather(F16, 1),
    "integers to float32": _counts,
    "f16 from int8": lambda: _through([(U8, 0.0123), (F16, None)], _PICTURE),
}


def feeds_of(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    """Numbers around 0, some of them 0, halves or large."""
    rng = np.random.default_rng(seed)
    feeds = {}
    for value in graph.inputs:
        if value.dtype == DType.SI32:
            feeds[value.name] = rng.integers(0, 70, value.shape).astype(np.int32)
            continue
        x = rng.normal(size=value.shape) * 3
        kind = rng.integers(0, 16, value.shape)
        x = np.where(kind == 0, 0, np.where(kind == 1, np.round(x) + 0.5, x))
        x = np.where(kind == 2, x * 9, x)
        if any(_is_of_positive(node) for node in graph.nodes):
            x = np.abs(x) + 0.01
        if graph.nodes[-1].op == "Div" or graph.nodes[-2].op == "Div":
            x = np.where(np.abs(x) < 0.1, 0.1, x)
        feeds[value.name] = x.astype(np.float32)
    return feeds


def _is_of_positive(node: Node) -> bool:
    return node.attrs.get("mode") == "LN" or node.attrs.get("exponent", 1.0) % 1 != 0


def together(names: Sequence[str]) -> Graph:
    """Several cases of all types as one network; names as in `every`."""
    whole = Graph("cases", "tpu")
    for name in names:
        twin: dict[int, Value] = {}
        for node in every()[name]().nodes:
            for old in (*node.inputs, *node.outputs):
                if old is not None and id(old) not in twin:
                    label = f"{name}/{old.name}"
                    twin[id(old)] = Value(label, old.shape, old.dtype, old.quant, old.data)
            inputs = [None if v is None else twin[id(v)] for v in node.inputs]
            whole.add(node.op, inputs, [twin[id(v)] for v in node.outputs], node.attrs)
        whole.outputs.append(whole.nodes[-1].output)
    return whole


def every() -> dict[str, Callable[[], Graph]]:
    """All cases by name and type."""
    found = dict(CASES_OF_ONE_TYPE)
    for group in (SUMS, PLAIN, FUNCTIONS, ATTENTION):
        for name, make in group.items():
            kinds = {"attention": TYPES[1:], "any power": TYPES[1:], "group norm": TYPES[:2]}
            types = next((k for n, k in kinds.items() if name.startswith(n)), TYPES)
            found |= {f"{name} {t}": partial(make, t) for t in types}
    return found


IN_TURN = {"sum", "mean", "mean of channels", "instance norm", "group norm", "layer norm"}
"""Sums in float32 that are added in the simulator's order."""


def most_units(name: str, found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Largest difference of a case in units of its type, and how large it may be.

    Sums of products are as exact as their largest terms; functions of float32 take several steps
    that are rounded, and a division that the chip iterates.
    """
    plain, _, kind = name.rpartition(" ")
    dtype = DType(kind) if kind in set(TYPES) else F16
    largest = float(np.abs(expected).max())
    if plain in IN_TURN and dtype == F32:
        least, most = 0.0, 0.0
    elif plain in SUMS:
        least, most = (largest, 16.0) if dtype == F32 else (largest * 2**-10, 1.0)
    elif plain in FUNCTIONS:
        least, most = 0.25 if dtype == F32 else 1e-7, 8.0 if dtype == F32 else 1.0
    elif plain in ATTENTION:
        least, most = largest, 1.0  # steps that are each rounded
    else:
        least, most = 0.0, 0.0 if plain in PLAIN else 1.0
    return float(units(found, expected, dtype, least).max()), most


def units(found: np.ndarray, expected: np.ndarray, dtype: DType, least: float = 0.0) -> np.ndarray:
    """Differences in units of the last place of a type; at numbers below `least`, of that one."""
    bits = {F32: 24, F16: 11, BF16: 8}[dtype]
    smallest = {F32: -126, F16: -14, BF16: -126}[dtype]
    size = np.maximum(np.abs(expected.astype(np.float64)), max(least, 2.0**smallest))
    unit = 2.0 ** (np.floor(np.log2(size)) + 1 - bits)
    same = found == expected
    with np.errstate(invalid="ignore"):
        return np.where(same, 0.0, np.abs(found.astype(np.float64) - expected) / unit)
