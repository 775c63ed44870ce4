"""Recognises activations that exporters write as several ops. The fused op takes the last op's
name: `<tensor>_<fused op>` where TPU-MLIR fuses in the ONNX graph, before it names ops (2 to 5).

1. x * Sigmoid(x)                       -> SiLU(x)
2. Relu6(x + 3) / 6                     -> HardSigmoid(x, 1/6, 0.5)
3. x * HardSigmoid(x, 1/6, 0.5)         -> HardSwish(x)
4. x * Relu6(x + 3) / 6                 -> HardSwish(x)
5. 0.5 * x * (1 + Erf(x / sqrt(2)))     -> GELU(x), factors in any order

TPU-MLIR knows rules 2 to 4 for ONNX only; so do we, for equal names and tables.
"""

from __future__ import annotations

import math

from tpuc.errors import Skip
from tpuc.ir import Graph, Node, Value
from tpuc.passes.edit import only_user, replace_node
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Apply the rules, each to every node."""
    count = 0
    skips: list[Skip] = []
    from_torch = graph.attrs.get("platform") == "TORCH"
    rules = (_silu, _gelu) if from_torch else (_silu, _hard_swish, _hard_sigmoid, _gelu)
    for rule in rules:
        for node in graph:
            done = rule(graph, node)
            if isinstance(done, Skip):
                skips.append(done)
            else:
                count += done
    count += graph.remove_dead()
    return PassResult(count, tuple(skips))


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-5)


def _scalar(value: Value | None) -> float | None:
    if value is not None and value.data is not None and value.data.size == 1:
        return float(value.data.reshape(-1)[0])
    return None


def _by_constant(node: Node | None, ops: tuple[str, str]) -> tuple[Value, float] | None:
    """(x, c) of `op(x, c)`, spelled with an operand or an attribute."""
    if node is None or node.op not in ops:
        return None
    x = node.inputs[0]
    assert x is not None
    if "const_val" in node.attrs:
        return x, node.number("const_val")
    c = _scalar(node.inputs[1]) if len(node.inputs) == 2 else None
    return (x, c) if c is not None else None


def _other(node: Node, one: Value) -> Value | None:
    """The other operand of a two-operand op."""
    if len(node.inputs) != 2:
        return None
    left, right = node.inputs
    return right if left is one else left


def _rename(graph: Graph, node: Node) -> None:
    """Call an op what TPU-MLIR's ONNX reader, which fuses before it names, calls it."""
    base, _, kind = node.name.rpartition("_")
    if base and kind in ("Mul", "Div") and graph.attrs.get("platform") != "TORCH":
        node.output.name = f"{base}_{node.op}"


def _silu(graph: Graph, node: Node) -> bool | Skip:
    if node.op != "Mul" or len(node.inputs) != 2:
        return False
    for gate in node.activations:
        made = gate.producer
        if made is None or made.op != "Sigmoid" or made.attrs.get("log"):
            continue
        x = _other(node, gate)
        if x is not made.inputs[0] or x is None:
            continue
        if only_user(graph, gate) is not node:
            return Skip(f"{node}: its Sigmoid has other users, SiLU not fused", (node.name,))
        replace_node(graph, node, "SiLU", [x])
        return True
    return False


def _relu6_plus_3(value: Value | None) -> Value | None:
    """x of Relu6(x + 3)."""
    relu = value.producer if value is not None else None
    if relu is None or relu.op != "Relu" or relu.number("relu_limit") != 6.0:
        return None
    source = relu.inputs[0]
    assert source is not None
    found = _by_constant(source.producer, ("Add", "AddConst"))
    return found[0] if found and found[1] == 3.0 else None


def _hard_sigmoid(graph: Graph, node: Node) -> bool:
    found = _by_constant(node, ("Mul", "MulConst"))
    if found is None or not _close(found[1], 1 / 6):
        return False
    x = _relu6_plus_3(found[0])
    if x is None:
        return False
    made = replace_node(graph, node, "HardSigmoid", [x], {"alpha": 1 / 6, "beta": 0.5})
    _rename(graph, made)
    return True


def _hard_swish(graph: Graph, node: Node) -> bool:
    scaled = _by_constant(node, ("Mul", "MulConst"))
    if scaled is not None and _close(scaled[1], 1 / 6):
        product = scaled[0].producer
        if product is not None and product.op == "Mul" and only_user(graph, scaled[0]) is node:
            for gate in product.activations:
                x = _relu6_plus_3(gate)
                if x is not None and x is _other(product, gate):
                    _rename(graph, replace_node(graph, node, "HardSwish", [x]))
                    return True
        return False
    if node.op != "Mul":
        return False
    for gate in node.activations:
        made = gate.producer
        if made is None or made.op != "HardSigmoid" or only_user(graph, gate) is not node:
            continue
        standard = _close(made.number("alpha"), 1 / 6) and made.number("beta") == 0.5
        x = _other(node, gate)
        if standard and x is not None and x is made.inputs[0]:
            _rename(graph, replace_node(graph, node, "HardSwish", [x]))
            return True
    return False


def _gelu(graph: Graph, node: Node) -> bool:
    if node.op not in ("Mul", "MulConst"):
        return False
    factors = _factors(graph, node)
    if factors is None:
        return False
    values, scale = factors
    if len(values) != 2 or not _close(scale, 0.5):
        return False
    for gate, x in (values, values[::-1]):
        shifted = _by_constant(gate.producer, ("Add", "AddConst"))
        erf = shifted[0].producer if shifted and shifted[1] == 1.0 else None
        inner = erf.inputs[0] if erf is not None and erf.op == "Erf" else None
        ratio = _by_constant(inner.producer, ("Mul", "MulConst")) if inner is not None else None
        if ratio and ratio[0] is x and _close(ratio[1], 1 / math.sqrt(2.0)):
            halved = _by_constant(node, ("Mul", "MulConst")) is not None
            made = replace_node(graph, node, "GELU", [x])
            if halved:
                _rename(graph, made)
            return True
    return False


def _factors(graph: Graph, node: Node) -> tuple[list[Value], float] | None:
    """Operands and constant of a product tree of single-use Muls, up to three factors."""
    values: list[Value] = []
    scale = 1.0
    pending: list[Node] = [node]
    while pending:
        current = pending.pop()
        constant = _by_constant(current, ("Mul", "MulConst"))
        operands = [constant[0]] if constant else list(current.activations)
        scale *= constant[1] if constant else 1.0
        for value in operands:
            made = value.producer
            inside = made is not None and made.op in ("Mul", "MulConst")
            # x / sqrt(2) is a Mul too, but it feeds Erf, not this product
            if inside and made is not None and only_user(graph, value) is current:
                pending.append(made)
            else:
                values.append(value)
        if len(values) + len(pending) > 2:
            return None
    return values, scale
