"""Merges data movement that follows data movement. The merged op takes the last op's name.

1. Reshape of Reshape                      -> Reshape
2. Permute of Permute                      -> Permute, order[i] = first[second[i]]
3. Concat of Concat along the same axis    -> Concat
4. Reshape (6-D), Permute, Reshape (4-D)   -> Depth2Space, by its order:
       0 1 4 2 5 3 (pixel shuffle), 0 3 4 1 5 2 (depth first), 0 1 3 5 2 4 (space to depth),
       0 1 3 4 2 5 (patches merged, channels last)

The inner op must have one user. TPU-MLIR applies rule 3 to ONNX models only: TorchScript's lists
count as users.
"""

from __future__ import annotations

from tpuc.ir import Attr, Graph, Node
from tpuc.passes.edit import only_user, replace_node
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Apply the rules in program order."""
    count = 0
    rules = {"Reshape": _reshape, "Permute": _permute, "Concat": _concat}
    for node in graph:
        rule = rules.get(node.op)
        if rule is not None and node in graph.nodes:
            count += rule(graph, node)
    return PassResult(count)


def _inner(graph: Graph, node: Node, op: str, index: int = 0) -> Node | None:
    """The op of kind `op` that only `node` reads, as its operand `index`."""
    source = node.inputs[index]
    maker = source.producer if source is not None else None
    if source is None or maker is None or maker.op != op or only_user(graph, source) is not node:
        return None
    return maker


def _skip_over(graph: Graph, node: Node, maker: Node) -> None:
    graph.set_inputs(node, [maker.inputs[0], *node.inputs[1:]])
    graph.remove(maker)


def _reshape(graph: Graph, node: Node) -> bool:
    maker = _inner(graph, node, "Reshape")
    if maker is not None:
        _skip_over(graph, node, maker)
        return True
    return _depth_to_space(graph, node)


def _permute(graph: Graph, node: Node) -> bool:
    maker = _inner(graph, node, "Permute")
    if maker is None:
        return False
    first = maker.ints("order")
    node.attrs["order"] = tuple(first[axis] for axis in node.ints("order"))
    _skip_over(graph, node, maker)
    return True


def _concat(graph: Graph, node: Node) -> bool:
    if graph.attrs.get("platform") == "TORCH":
        return False
    rank = len(node.output.shape)
    axis = node.integer("axis") % rank
    for index in range(len(node.inputs)):
        maker = _inner(graph, node, "Concat", index)
        if maker and maker.integer("axis") % rank == axis and not maker.flag("do_relu"):
            inputs = [*node.inputs[:index], *maker.inputs, *node.inputs[index + 1 :]]
            graph.set_inputs(node, inputs)
            graph.remove(maker)
            return True
    return False


_BLOCKS: dict[tuple[int, ...], tuple[int, int, bool, bool]] = {
    # order of the Permute: (axis of block_h, axis of block_w, is_CRD, is_inversed)
    (0, 1, 4, 2, 5, 3): (2, 3, True, False),
    (0, 3, 4, 1, 5, 2): (1, 2, False, False),
    (0, 1, 3, 5, 2, 4): (3, 5, True, True),
}


def _merge_patches(graph: Graph, node: Node, permute: Node, split: Node) -> bool:
    """Blocks of neighbours joined in the last axis, which holds the channels."""
    source, dims = split.inputs[0], split.output.shape
    if source is None or permute.ints("order") != (0, 1, 3, 4, 2, 5) or len(dims) != 6:
        return False
    n, high, block_h, wide, block_w, channels = dims
    merged = (n, high, wide, block_h * block_w * channels)
    whole = (n, high * block_h, wide * block_w, channels)
    joined = (n, high * block_h * wide * block_w, channels)
    if node.output.shape != merged or source.shape not in (whole, joined):
        return False
    if only_user(graph, node.output) is None:
        return False
    attrs: dict[str, Attr] = {
        "block_h": block_h,
        "block_w": block_w,
        "in_is_NCHW": False,
        "is_CRD": False,
        "is_inversed": True,
        "out_is_NCHW": False,
        "swap_cr": True,
    }
    if source.shape == joined:
        split.attrs["shape"] = split.output.shape = whole
        source = split.output
    replace_node(graph, node, "Depth2Space", [source], attrs)
    graph.remove_dead()
    return True


def _depth_to_space(graph: Graph, node: Node) -> bool:
    permute = _inner(graph, node, "Permute")
    split = _inner(graph, permute, "Reshape") if permute is not None else None
    if permute is not None and split is not None and _merge_patches(graph, node, permute, split):
        return True
    source = split.inputs[0] if split is not None else None
    if permute is None or split is None or source is None or len(source.shape) != 4:
        return False
    known = _BLOCKS.get(permute.ints("order"))
    if known is None:
        return False
    high, wide, crd, inverse = known
    dims, moved = split.output.shape, permute.output.shape
    if inverse:
        kept = source.shape == (dims[0], dims[1], dims[2] * dims[3], dims[4] * dims[5])
        joined = (dims[0], dims[1] * dims[3] * dims[5], dims[2], dims[4])
    else:
        kept = source.shape == (dims[0], dims[1] * dims[2] * dims[3], dims[4], dims[5])
        joined = (moved[0], moved[1], moved[2] * moved[3], moved[4] * moved[5])
    if not kept or node.output.shape != joined or dims[high] != dims[wide]:
        return False
    attrs: dict[str, Attr] = {
        "block_h": dims[high],
        "block_w": dims[wide],
        "is_CRD": crd,
        "is_inversed": inverse,
    }
    replace_node(graph, node, "Depth2Space", [source], attrs)
    graph.remove_dead()
    return True
