"""Cuts the convolution that makes an attention's q, k and v into one for each.

    Conv (1 x 1), Reshape (N, heads, K, H * W), Slices along K
      -> for each Slice, the last first: Conv `<conv>_slice_<number>`, Reshape `..._reshape`
    Conv, Reshape, MulConst -> Conv `<MulConst>_r_MulOrConv`, Reshape under the MulConst's name

Channel h * K + o + i of the old filter is h * k + i of a Slice that starts at o and is k long.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node, Value, with_defaults
from tpuc.passes.edit import only_user, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Apply both rules to every node."""
    count = 0
    for node in graph:
        if node.op == "Reshape":
            count += _split(graph, node)
    for node in graph:
        if node.op == "MulConst":
            count += _fold(graph, node)
    return PassResult(count)


def _conv_of(graph: Graph, reshape: Node) -> Node | None:
    """The 1 x 1 convolution with constant weights that only this Reshape reads."""
    source = reshape.inputs[0] if reshape.op == "Reshape" else None
    conv = source.producer if source is not None else None
    if source is None or conv is None or conv.op != "Conv" or len(source.shape) != 4:
        return None
    plain = set(conv.ints("kernel_shape")) == {1} and conv.integer("group") == 1
    fixed = all(v is None or v.is_weight for v in conv.inputs[1:])
    alone = only_user(graph, source) is reshape
    return conv if plain and fixed and alone and not conv.flag("do_relu") else None


def _split(graph: Graph, reshape: Node) -> bool:
    conv, out = _conv_of(graph, reshape), reshape.output
    slices = out.users
    if conv is None or len(slices) < 2 or any(out is v for v in graph.outputs):
        return False
    n, c, h, w = conv.output.shape
    if len(out.shape) != 4 or out.shape[0] != n or out.shape[3] != h * w:
        return False
    if not all(s.op == "Slice" and _along_two(s, out.shape) for s in slices):
        return False
    if sum(s.output.shape[2] for s in slices) != out.shape[2]:
        return False
    last = max(slices, key=graph.nodes.index)
    for number, cut in enumerate(sorted(slices, key=graph.nodes.index, reverse=True)):
        _part(graph, (conv, reshape, cut), f"{conv.name}_slice_{number}", last)
    for cut in slices:
        graph.remove(cut)
    graph.remove(reshape)
    graph.remove(conv)
    return True


def _along_two(cut: Node, shape: tuple[int, ...]) -> bool:
    rest = [i for i, (a, b) in enumerate(zip(shape, cut.output.shape)) if a != b]
    return rest == [2] and set(cut.ints("steps")) == {1}


def _part(graph: Graph, chain: tuple[Node, Node, Node], name: str, before: Node) -> None:
    conv, reshape, cut = chain
    heads, size = reshape.output.shape[1:3]
    length = cut.output.shape[2]
    start = range(size)[slice(cut.ints("offset")[2], None)][0]
    rows = (np.arange(heads)[:, None] * size + start + np.arange(length)).reshape(-1)
    operands: list[Value | None] = [conv.inputs[0]]
    for value in conv.inputs[1:]:
        data = None if value is None else value.data
        made = None if value is None or data is None else weight(f"{name}_{value.name}", data[rows])
        operands.append(made)
    n, _, height, width = conv.output.shape
    part = Value(name, (n, rows.size, height, width))
    graph.add("Conv", operands, [part], conv.attrs, before=before)
    shaped = Value(f"{name}_reshape", cut.output.shape)
    attrs = with_defaults("Reshape", {"shape": cut.output.shape})
    graph.add("Reshape", [part], [shaped], attrs, before=before)
    graph.replace_uses(cut.output, shaped)


def _fold(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    reshape = source.producer if source is not None else None
    if source is None or reshape is None or only_user(graph, source) is not node:
        return False
    conv = _conv_of(graph, reshape)
    if conv is None or node.flag("do_relu"):
        return False
    factor = node.number("const_val")
    operands: list[Value | None] = [conv.inputs[0]]
    for value in conv.inputs[1:]:
        if value is None or value.data is None:
            operands.append(None)
        else:
            product = (value.data.astype(np.float64) * factor).astype(np.float32)
            operands.append(weight(f"{value.name}_mergeMulConst", product))
    graph.set_inputs(conv, operands)
    conv.output.name = f"{node.name}_r_MulOrConv"
    name = node.name
    graph.replace_uses(node.output, source)
    graph.remove(node)
    source.name = name
    return True
