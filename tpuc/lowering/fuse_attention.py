"""Fuses self-attention that scales after q @ k into one Attention op, as TPU-MLIR does.

    q, k, v = heads(x Wq + bq), heads(x Wk + bk), heads(x Wv + bv)
    joined(softmax(c * q k^T [+ mask]) v) Wo + bo      -> Attention, named after the last MatMul

`heads` is Reshape (N, tokens, heads, d) and Permute. The mask is computed and the same for all
heads and tokens: (N, 1, 1, tokens). Attention that scales q first stays as it is. A relu of the
last MatMul is that of the sum of the heads.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpuc.ir import Graph, Node, Value, with_defaults

__all__ = ["fuse_attention"]

_HEADS, _HEADS_TURNED = (0, 2, 1, 3), (0, 2, 3, 1)


@dataclass(frozen=True)
class _Chain:
    """The ops of one attention; `scaled` is c * q k^T."""

    queries: Node
    keys: Node
    values: Node
    products: Node
    scaled: Node
    softmax: Node
    mixed: Node
    mask: Value | None
    mask_reader: str


def fuse_attention(graph: Graph) -> Graph:
    """A copy with every attention fused; what tables say of the ops inside has no effect then."""
    fused = graph.clone()
    for node in fused:
        chain = _match(fused, node) if node.op == "MatMul" and node in fused.nodes else None
        if chain is not None:
            _fuse(fused, node, chain)
    fused.remove_dead()
    return fused


class _Walk:
    """Steps from an op to the maker of an operand that nothing else reads."""

    def __init__(self, graph: Graph) -> None:
        self.outputs = {id(v) for v in graph.outputs}

    def back(self, node: Node | None, op: str, index: int = 0) -> Node | None:
        """The maker of operand `index`, if it is of kind `op`."""
        value = node.inputs[index] if node is not None else None
        maker = value.producer if value is not None else None
        if value is None or maker is None or maker.op != op:
            return None
        if len(value.uses) != 1 or id(value) in self.outputs:
            return None
        return maker

    def heads(self, node: Node | None, index: int, order: tuple[int, ...]) -> Node | None:
        """The MatMul behind Permute and Reshape."""
        permute = self.back(node, "Permute", index)
        if permute is None or permute.ints("order") != order:
            return None
        product = self.back(self.back(permute, "Reshape"), "MatMul")
        return product if product is not None and _is_linear(product) else None


def _is_linear(node: Node, relu: bool = False) -> bool:
    right, bias = node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else None
    plain = (relu or not node.flag("do_relu")) and not node.flag("right_transpose")
    fixed = right is not None and right.is_weight and len(right.shape) == 2
    return plain and fixed and (bias is None or bias.is_weight)


def _match(graph: Graph, last: Node) -> _Chain | None:
    walk = _Walk(graph)
    ends = _is_linear(last, relu=True) and last.number("relu_limit") <= 0
    permute = walk.back(walk.back(last, "Reshape"), "Permute") if ends else None
    if permute is None or permute.ints("order") != _HEADS:
        return None
    if last.flag("do_relu") and permute.output.shape[2] == 1:  # there is no sum of heads
        return None
    mixed = walk.back(permute, "MatMul")
    values, softmax = walk.heads(mixed, 1, _HEADS), walk.back(mixed, "Softmax")
    if mixed is None or softmax is None or values is None or softmax.flag("log"):
        return None
    if softmax.integer("axis") != 3 or mixed.flag("right_transpose"):
        return None
    mask, above = _mask(walk, softmax)
    scaled = walk.back(above, "MulConst")
    products = walk.back(scaled, "MatMul")
    queries = walk.heads(products, 0, _HEADS)
    if products is None or scaled is None or queries is None:
        return None
    order = _HEADS if products.flag("right_transpose") else _HEADS_TURNED
    keys = walk.heads(products, 1, order)
    if keys is None or not _fits(last, (queries, keys, values), mask):
        return None
    added = softmax.inputs[0].producer if mask is not None and softmax.inputs[0] else None
    parts = (queries, keys, values, products, scaled, softmax, mixed, mask)
    return _Chain(*parts, "" if added is None else added.name)


def _mask(walk: _Walk, softmax: Node) -> tuple[Value | None, Node | None]:
    """The mask and the op whose first operand is the scaled product."""
    add = walk.back(softmax, "Add")
    if add is None:
        return None, softmax
    mask = add.inputs[1] if len(add.inputs) == 2 else None
    if mask is None or mask.is_weight or mask.shape[1:-1] != (1, 1):
        return None, None
    return mask, add


def _fits(last: Node, makers: tuple[Node, Node, Node], mask: Value | None) -> bool:
    source = makers[0].inputs[0]
    if source is None or len(source.shape) != 3 or last.output.shape != source.shape:
        return False
    same = all(m.inputs[0] is source for m in makers)
    widths = {m.output.shape[-1] for m in makers}
    return same and len(widths) == 1 and (mask is None or mask.shape[0] == source.shape[0] == 1)


def _fuse(graph: Graph, last: Node, chain: _Chain) -> None:
    operands: list[Value | None] = [chain.queries.inputs[0]]
    for node in (chain.queries, chain.keys, chain.values, last):
        operands += [node.inputs[1], node.inputs[2] if len(node.inputs) > 2 else None]
    operands.append(chain.mask)
    heads = chain.mixed.output.shape[1]
    scales = (chain.queries, chain.keys, chain.values, chain.products, chain.scaled)
    attrs = with_defaults(
        "Attention",
        {
            "head": heads,
            "dim": chain.mixed.output.shape[3],
            "do_relu": last.flag("do_relu"),
            "mask_reader": chain.mask_reader,
            "scale": chain.scaled.number("const_val"),
            "scale_names": tuple(n.name for n in (*scales, chain.softmax, chain.mixed)),
        },
    )
    old = last.output
    out = Value(old.name, old.shape)
    graph.add("Attention", operands, [out], attrs, before=last)
    graph.replace_uses(old, out)
    graph.remove(last)
