"""A small lowered graph with every kind of type, attribute and operand that a bmodel stores."""

from __future__ import annotations

import numpy as np

from tpuc.ir import DType, Graph, QuantType, Value, with_defaults


def _weight(name: str, data: np.ndarray, dtype: DType, quant: QuantType | None = None) -> Value:
    return Value(name, data.shape, dtype, quant, data)


def small_graph(float_type: DType = DType.BF16) -> Graph:
    """Input -> Cast -> Conv2D (no bias) -> Conv2D -> Cast -> Clip -> Mul by a float weight."""
    rng = np.random.default_rng(7)
    graph = Graph("small", "tpu", {"processor": "bm1684x", "mode": "INT8"})
    q_in, q_mid = QuantType(0.03125), QuantType(1 / 3, 5)

    def add(op, inputs, out, **attrs):
        graph.add(op, inputs, [out], with_defaults(op, attrs, "tpu"))
        return out

    x = add(
        "Input",
        [],
        Value("data é", (1, 3, 8, 8)),
        channel_format="nchw",
        mean=(0.5, 1e-300, 255.0),
        scale=(1.0, 0.1, 3.0),
        resize_dims=(8, 8),
        do_preprocess=True,
    )
    x = add("Cast", [x], Value("data_si8", x.shape, DType.SI8, q_in))
    for index, bias in enumerate((None, np.arange(3, dtype=np.int32))):
        weight = rng.integers(-128, 128, (3, 3, 1, 1), dtype=np.int8)
        x = add(
            "Conv2D",
            [
                x,
                _weight(f"w{index}", weight, DType.SI8),
                None if bias is None else _weight("bias", bias, DType.SI32),
            ],
            Value(f"conv{index}", x.shape, DType.UI8, q_mid),
            kernel_shape=(1, 1),
            strides=(1, 1),
            pads=(0, 0, 0, 0),
            multiplier=tuple(np.arange(3, dtype=np.int64) + 2**30),
            rshift=(31, 30, 32),
        )
    x = add("Cast", [x], Value("conv1_f32", x.shape))
    x = add("Clip", [x], Value("clip", x.shape), min=float("-inf"), max=np.float32(0.1))
    factor = (rng.standard_normal((1, 3, 1, 1)) * 256).astype(np.int8).astype(np.float32)
    x = add("Mul", [x, _weight("factor", factor, float_type)], Value("product", x.shape))
    nibbles = rng.integers(-8, 8, (7,)).astype(np.int8)
    table = _weight("nibbles", nibbles, DType.SI4)
    picked = add("Gather", [x, table], Value("picked", (1, 3, 8, 7)), axis=3)
    graph.outputs = [picked, graph.find("conv0")]
    return graph


def same(a: Graph, b: Graph) -> bool:
    """Equal in every respect that a program keeps."""

    def facts(value: Value | None) -> object:
        if value is None:
            return None
        data = None if value.data is None else (value.data.dtype, value.data.tobytes())
        return value.name, tuple(value.shape), value.dtype, value.quant, data

    def rows(graph: Graph) -> object:
        nodes = [
            (n.op, [facts(v) for v in n.inputs], [facts(v) for v in n.outputs], n.attrs)
            for n in graph.nodes
        ]
        return graph.name, graph.attrs, nodes, [v.name for v in graph.outputs]

    return rows(a) == rows(b)
