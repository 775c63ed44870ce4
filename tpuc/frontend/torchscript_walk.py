"""Walks a TorchScript graph: folds what is known, converts what depends on the inputs.

Shapes are static, so size arithmetic, list building and conditions all fold away here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import ATEN
from tpuc.frontend.torchscript_context import Missing, TorchContext, TorchNode, is_known
from tpuc.frontend.torchscript_fold import evaluate
from tpuc.ir import Value
from tpuc.progress import steps

__all__ = ["Problems", "walk"]

_SILENT = {"prim::RaiseException", "aten::warn", "prim::Print"}


class Problems:
    """What could not be converted: operators by kind, and reasons of single nodes."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.first: str = ""
        self.reasons: list[str] = []

    def unsupported(self, node: TorchNode) -> None:
        """Count an operator that has no converter."""
        self.first = self.first or str(node)
        self.kinds[node.kind] += 1

    def __bool__(self) -> bool:
        return bool(self.kinds or self.reasons)

    def __str__(self) -> str:
        parts = list(self.reasons[:5])
        if len(self.reasons) > 5:
            parts.append(f"and {len(self.reasons) - 5} more")
        if self.kinds:
            listed = ", ".join(f"{kind} (x{n})" for kind, n in sorted(self.kinds.items()))
            parts.insert(0, f"unsupported operators: {listed}; the first is {self.first}")
        return "; ".join(parts)


def walk(block: Any, context: TorchContext, problems: Problems, wanted: set[str]) -> None:
    """Convert the nodes of a TorchScript block; stop once every wanted name is known."""
    _note_unpacking(block, context)
    for item in steps(list(block.nodes()), "importing"):
        node = _read(item, context)
        if item.kind() == "prim::If":
            _branch(item, node, context, problems, wanted)
        elif item.kind() in _PRIMS:
            _PRIMS[item.kind()](context, node, item)
        elif item.kind() not in _SILENT:
            _convert(node, context, problems)
        if wanted and all(name in context.known for name in wanted):
            return


def _note_unpacking(block: Any, context: TorchContext) -> None:
    for item in block.nodes():
        if item.kind() == "prim::ListUnpack":
            names = tuple(o.debugName() for o in item.outputs())
            context.unpacked[item.input().debugName()] = names


def _read(item: Any, context: TorchContext) -> TorchNode:
    kind = item.kind()
    if kind.endswith("_") and not kind.endswith("__"):
        kind = kind[:-1]
    names = tuple(i.debugName() for i in item.inputs())
    args = tuple(context.known.get(n) for n in names)
    outputs = tuple(o.debugName() for o in item.outputs())
    return TorchNode(kind, names, args, outputs, item.schema())


def _convert(node: TorchNode, context: TorchContext, problems: Problems) -> None:
    if _has_missing(node.args):
        if node.kind not in ATEN and node.kind not in _FOLDS:
            problems.unsupported(node)
        _miss(node, context)
        return
    try:
        if node.kind in _FOLDS:
            context.alias(node, _FOLDS[node.kind](node))
        elif all(is_known(a) for a in node.args):
            context.known.update(zip(node.outputs, evaluate(node)))
        elif node.kind in ATEN:
            ATEN[node.kind](context, node)
        else:
            problems.unsupported(node)
    except UnsupportedError as error:
        problems.reasons.append(str(error))
    _miss(node, context)


def _miss(node: TorchNode, context: TorchContext) -> None:
    for name in node.outputs:
        context.known.setdefault(name, Missing())


def _has_missing(item: object) -> bool:
    if isinstance(item, list | tuple):
        return any(_has_missing(i) for i in item)
    return isinstance(item, Missing)


def _branch(
    item: Any, node: TorchNode, context: TorchContext, problems: Problems, wanted: set[str]
) -> None:
    if not is_known(node.args[0]):
        problems.reasons.append(f"{node}: the condition depends on the network's inputs")
        _miss(node, context)
        return
    chosen = list(item.blocks())[0 if bool(node.args[0]) else 1]
    walk(chosen, context, problems, set())
    for name, out in zip(node.outputs, chosen.outputs()):
        context.known[name] = context.known.get(out.debugName())


# ---- prim: values of the language itself -----------------------------------------------------


def _constant(context: TorchContext, node: TorchNode, item: Any) -> None:
    context.alias(node, item.output().toIValue())


def _attribute(context: TorchContext, node: TorchNode, item: Any) -> None:
    found = getattr(node.args[0], item.s("name"))
    context.alias(node, found.detach() if isinstance(found, torch.Tensor) else found)


def _list(context: TorchContext, node: TorchNode, item: Any) -> None:
    context.alias(node, list(node.args))


def _dict(context: TorchContext, node: TorchNode, item: Any) -> None:
    context.alias(node, dict(zip(node.args[::2], node.args[1::2])))


def _unpack(context: TorchContext, node: TorchNode, item: Any) -> None:
    members = node.args[0]
    if isinstance(members, Missing):
        members = [Missing()] * len(node.outputs)
    context.known.update(zip(node.outputs, members))


def _number(context: TorchContext, node: TorchNode, item: Any) -> None:
    number = node.args[0]
    context.alias(node, torch.tensor(number) if isinstance(number, int | float) else number)


def _same(context: TorchContext, node: TorchNode, item: Any) -> None:
    context.alias(node, node.args[0])


def _index(context: TorchContext, node: TorchNode, item: Any) -> None:
    context.alias(node, node.args[0][int(node.args[1])])


_PRIMS: dict[str, Callable[[TorchContext, TorchNode, Any], None]] = {
    "prim::Constant": _constant,
    "prim::GetAttr": _attribute,
    "prim::ListConstruct": _list,
    "prim::TupleConstruct": _list,
    "prim::DictConstruct": _dict,
    "prim::ListUnpack": _unpack,
    "prim::TupleUnpack": _unpack,
    "prim::NumToTensor": _number,
    "prim::unchecked_cast": _same,
    "prim::TupleIndex": _index,
}

_FOLDS: dict[str, Callable[[TorchNode], object]] = {
    "aten::size": lambda n: _size(n),
    "aten::dim": lambda n: len(_shape(n)),
    "aten::numel": lambda n: torch.Size(_shape(n)).numel(),
    "aten::len": lambda n: len(n.args[0]) if isinstance(n.args[0], list) else _shape(n)[0],
    "aten::__getitem__": lambda n: n.args[0][int(n.args[1])],
    "aten::__is__": lambda n: n.args[0] is n.args[1],
    "aten::__isnot__": lambda n: n.args[0] is not n.args[1],
    "aten::__not__": lambda n: not n.args[0],
    "aten::Int": lambda n: int(n.arg(0)),
    "aten::Float": lambda n: float(n.arg(0)),
    "aten::Bool": lambda n: bool(n.arg(0)),
    "aten::ScalarImplicit": lambda n: n.arg(0),
    "aten::IntImplicit": lambda n: int(n.arg(0)),
    "aten::FloatImplicit": lambda n: float(n.arg(0)),
    "aten::is_floating_point": lambda n: True,
    "prim::dtype": lambda n: torch.float32 if isinstance(n.args[0], Value) else n.args[0].dtype,
    "prim::device": lambda n: torch.device("cpu"),
    "prim::is_cuda": lambda n: False,
}
"""Operators that are known even where a tensor operand is not."""


def _shape(node: TorchNode) -> tuple[int, ...]:
    return tuple(node.args[0].shape)


def _size(node: TorchNode) -> int | list[int]:
    shape = _shape(node)
    return shape[int(node.arg(1))] if len(node.args) > 1 else list(shape)
