"""Merges a 1x1 convolution into the convolution that follows it.

    filter[e, c] = sum_d second[e, d] * first[d, c]
    bias[e] = second_bias[e] + sum_d sum_k second[e, d, k] * first_bias[d]

Only when it saves work (E*C*k*k / (E*D*k*k + C*D) <= 20) and is exact: group 1, no padding, no relu
in between, a single user. The merged op takes the second one's name.
"""

from __future__ import annotations

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import Graph, Node, Value
from tpuc.kernels._float_products import merged_filter
from tpuc.passes.edit import only_user, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]

_MAX_RATIO = 20


def run(graph: Graph) -> PassResult:
    """Merge in program order."""
    count = 0
    skips: list[Skip] = []
    for second in graph:
        source = second.inputs[0] if second.op == "Conv" else None
        first = source.producer if source is not None else None
        if first is None or first.op != "Conv" or set(_kernel(first)) != {1}:
            continue
        reason = _obstacle(graph, first, second)
        if reason is None:
            _merge(graph, first, second)
            count += 1
        else:
            skips.append(Skip(f"{second}: not merged with {first}: {reason}", (second.name,)))
    return PassResult(count, tuple(skips))


def _kernel(node: Node) -> tuple[int, ...]:
    return node.ints("kernel_shape")


def _obstacle(graph: Graph, first: Node, second: Node) -> str | None:
    if only_user(graph, first.output) is not second:
        return "it has other users"
    if first.attrs["do_relu"]:
        return "there is a Relu in between"
    if first.attrs["group"] != 1 or second.attrs["group"] != 1:
        return "one of them is grouped"
    if any(first.attrs["pads"]) or any(second.attrs["pads"]):  # type: ignore[arg-type]
        return "one of them pads"
    if set(first.attrs["strides"]) != {1}:  # type: ignore[arg-type]
        return "the first one has a stride"
    operands = (*first.inputs[1:], *second.inputs[1:])
    if any(v is not None and v.data is None for v in operands):
        return "a filter is computed"
    e, d = second.weight(1).shape[:2]
    c = first.weight(1)[0].shape[0]
    area = int(np.prod(_kernel(second)))
    if e * c * area / (e * d * area + c * d) > _MAX_RATIO:
        return "the merged one would be too large"
    return None


def _merge(graph: Graph, first: Node, second: Node) -> None:
    f1 = first.weight(1)
    f1 = f1.reshape(len(f1), -1)  # a 1x1 filter
    f2 = second.weight(1)
    e, d = f2.shape[:2]
    taps = np.ascontiguousarray(f2.reshape(e, d, -1))
    # float32, one middle channel after the other, as TPU-MLIR sums
    merged = merged_filter(taps, np.ascontiguousarray(f1))
    bias = np.zeros(e, np.float32)
    inner = _bias(first, d)
    for middle in range(d):
        for tap in range(taps.shape[2]):
            bias += taps[:, middle, tap] * inner[middle]
    bias += _bias(second, e)
    shape = (e, int(f1.shape[1]), *f2.shape[2:])
    operands: list[Value | None] = [
        first.inputs[0],
        weight(f"{second.name}_merge_filter_weight", merged.reshape(shape)),
    ]
    if _has_bias(first) or _has_bias(second):
        operands.append(weight(f"{second.name}_merge_bias_weight", bias))
    graph.set_inputs(second, operands)
    graph.remove(first)


def _has_bias(node: Node) -> bool:
    return len(node.inputs) > 2 and node.inputs[2] is not None


def _bias(node: Node, size: int) -> np.ndarray:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    return np.zeros(size, np.float32) if value is None or value.data is None else value.data
