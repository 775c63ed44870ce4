"""Rotary embedding written out, seen as the one op (Rope) that TPU-MLIR makes of it.

    tokens = Slice(x);  Concat(Slice(x), Add(Mul(tokens, cos), Mul(turned(tokens), sin)))

`turned` swaps the two values of each pair and negates one: slices, MulConst, Unsqueeze, Concat,
Reshape. The blocks of EVA-02 hold Rope; in a graph that has the ops instead, they are found after
`fold`.
"""

from __future__ import annotations

from collections import Counter

from tpuc.search.patterns.program import Op, Program

__all__ = ["fold"]

_NEEDED = Counter({"Add": 1, "Mul": 2, "MulConst": 1, "Unsqueeze": 2, "Concat": 2})
_MOVING = {"Slice", "Squeeze", "Reshape"}


def fold(program: Program) -> Program:
    """The program with each rotary embedding as one Rope, under its last op's name and place."""
    by_name = {op.name: op for op in program.ops}
    ropes: dict[str, Op] = {}
    inside: set[str] = set()
    for op in program.ops:
        if op.type == "Concat" and (found := _embedding(program, op, by_name)):
            source, names = found
            ropes[op.name] = Op(op.name, "Rope", op.results, (source,))
            inside |= names - {op.name}
    kept = [ropes.get(op.name, op) for op in program.ops if op.name not in inside]
    return Program(tuple(kept))


def _embedding(program: Program, last: Op, by_name: dict[str, Op]) -> tuple[str, set[str]] | None:
    """What an embedding reads, and its ops; None if `last` does not end one."""
    if program.types(last.operands) != ("Slice", "Add"):
        return None
    source = program.producers(last.operands[0])[0]
    names, waiting = {last.name}, list(last.operands)
    while waiting:
        name = waiting.pop()
        if name == source or name in names:
            continue
        op = by_name.get(name)
        if op is None or op.type not in _MOVING | set(_NEEDED):
            return None
        names.add(name)
        waiting += op.operands
    counts = Counter(by_name[name].type for name in names if by_name[name].type not in _MOVING)
    leaks = any(set(program.users(name)) - names for name in names - {last.name})
    return None if leaks or counts != _NEEDED else (source, names)
