"""The graph: values, nodes, and the edits that keep both consistent.

    Graph ── nodes: list[Node], in program order (an order in which every input comes first)
      Node ── op, attrs, inputs: Value | None, outputs: Value
        Value ── name, shape, dtype, quant, data (weights only), producer, uses

Two dialects share these classes. `top`: float ops under TPU-MLIR's Top names (`Conv`, `MatMul`).
`tpu`: lowered ops (`Conv2D`, `Cast`) whose values carry integer types. Graph inputs are nodes of op
`Input` (with the preprocessing as attributes), as in TPU-MLIR; weights have `data` and no
producer. An op's name is the name of its first output: TPU-MLIR's `loc`, which is also its name in
calibration tables.

Only methods of `Graph` change a graph, and each checks everything before it changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tpuc.errors import GraphError
from tpuc.ir.node import Attr, Node, Value

__all__ = ["Graph"]


class Graph:
    """A static single-function network.

    Parameters
    ----------
    name : str
        Name of the model (MLIR module name).
    dialect : {'top', 'tpu'}
    attrs : mapping, optional
        Module attributes: `platform` (ONNX, TORCH), `processor`, `mode`; `postprocess`: version
        of the detector whose boxes it decodes.
    """

    def __init__(
        self, name: str, dialect: str = "top", attrs: Mapping[str, Attr] | None = None
    ) -> None:
        self.name = name
        self.dialect = dialect
        self.attrs: dict[str, Attr] = dict(attrs or {})
        self.nodes: list[Node] = []
        self.outputs: list[Value] = []

    # ---- views -------------------------------------------------------------------------------

    @property
    def inputs(self) -> list[Value]:
        """Outputs of the `Input` nodes, in order."""
        return [n.output for n in self.nodes if n.op == "Input"]

    def values(self) -> Iterator[Value]:
        """Every node output, in program order."""
        for node in self.nodes:
            yield from node.outputs

    def weights(self) -> list[Value]:
        """Every weight that a node reads, each once, in order of first use."""
        found = (v for n in self.nodes for v in n.inputs if v is not None and v.is_weight)
        return list(dict.fromkeys(found))

    def find(self, name: str) -> Value:
        """The node output called `name`.

        Raises
        ------
        KeyError : there is none
        """
        for value in self.values():
            if value.name == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[Node]:
        """Iterate over a copy of the node list, so that a pass may edit while it walks."""
        return iter(list(self.nodes))

    def __len__(self) -> int:
        return len(self.nodes)

    # ---- edits -------------------------------------------------------------------------------

    def add(
        self,
        op: str,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value],
        attrs: Mapping[str, Attr] | None = None,
        before: Node | None = None,
    ) -> Node:
        """Append a node (or insert it before another); outputs must be fresh values."""
        for out in outputs:
            if out.producer is not None or out.data is not None:
                raise GraphError(f"{op} '{out.name}': output already has a producer or data")
        if not outputs:
            raise GraphError(f"{op}: a node needs at least one output")
        node = Node(op, tuple(inputs), tuple(outputs), dict(attrs or {}))
        where = len(self.nodes) if before is None else self.nodes.index(before)
        self.nodes.insert(where, node)
        for out in outputs:
            out.producer = node
        for index, value in enumerate(node.inputs):
            if value is not None:
                value.uses.append((node, index))
        return node

    def set_inputs(self, node: Node, inputs: Sequence[Value | None]) -> None:
        """Replace all operands of a node."""
        for old in node.inputs:
            if old is not None:
                old.uses = [(n, i) for n, i in old.uses if n is not node]
        node.inputs = tuple(inputs)
        for index, value in enumerate(node.inputs):
            if value is not None:
                value.uses.append((node, index))

    def set_input(self, node: Node, index: int, value: Value | None) -> None:
        """Replace operand `index` (appending Nones up to it when the list is shorter)."""
        inputs = list(node.inputs) + [None] * (index + 1 - len(node.inputs))
        inputs[index] = value
        self.set_inputs(node, inputs)

    def replace_uses(self, old: Value, new: Value, only: Iterable[Node] | None = None) -> None:
        """Make users of `old` (all, and graph outputs, or those in `only`) read `new`."""
        chosen = set(map(id, only)) if only is not None else None
        for node in old.users:
            if chosen is None or id(node) in chosen:
                self.set_inputs(node, [new if v is old else v for v in node.inputs])
        if chosen is None:
            self.outputs = [new if v is old else v for v in self.outputs]

    def remove(self, node: Node) -> None:
        """Delete a node whose outputs nobody reads.

        Raises
        ------
        GraphError : an output is still used, or is a graph output
        """
        for out in node.outputs:
            if out.uses or any(out is v for v in self.outputs):
                raise GraphError(f"{node}: can not be removed, output '{out.name}' is still used")
        self.set_inputs(node, ())
        self.nodes.remove(node)
        for out in node.outputs:
            out.producer = None

    def remove_dead(self) -> int:
        """Delete every node that no output depends on (Input nodes stay); return how many."""
        removed = 0
        live_outputs = {id(v) for v in self.outputs}
        for node in reversed(list(self.nodes)):
            if node.op != "Input" and not any(
                o.uses or id(o) in live_outputs for o in node.outputs
            ):
                self.remove(node)
                removed += 1
        return removed

    def sort(self) -> None:
        """Restore program order, keeping the present order wherever dependencies allow.

        Raises
        ------
        GraphError : the graph has a cycle
        """
        placed: set[int] = set()
        ordered: list[Node] = []
        waiting = list(self.nodes)
        while waiting:
            rest: list[Node] = []
            for node in waiting:
                ready = all(
                    v.producer is None or id(v.producer) in placed for v in node.activations
                )
                if ready:
                    placed.add(id(node))
                    ordered.append(node)
                else:
                    rest.append(node)
            if len(rest) == len(waiting):
                raise GraphError(f"{rest[0]}: is part of a cycle")
            waiting = rest
        self.nodes = ordered

    def clone(self) -> Graph:
        """A deep copy that shares weight arrays (treat arrays as immutable)."""
        copy = Graph(self.name, self.dialect, self.attrs)
        twin: dict[int, Value] = {}

        def of(value: Value) -> Value:
            if id(value) not in twin:
                twin[id(value)] = Value(
                    value.name, value.shape, value.dtype, value.quant, value.data
                )
            return twin[id(value)]

        for node in self.nodes:
            copy.add(
                node.op,
                [None if v is None else of(v) for v in node.inputs],
                [of(v) for v in node.outputs],
                node.attrs,
            )
        copy.outputs = [of(v) for v in self.outputs]
        return copy
