"""Rotary embedding written out, seen as the one op (Rope) that TPU-MLIR makes of it.

    tokens = Slice(x);  Concat(Slice(x), Add(Mul(tokens, cos), Mul(turned(tokens), sin)))

`turned` swaps the two values of each pair and negates one: slices, MulConst, Unsqueeze, Concat,
Reshape. Each slice may have a Permute of x of its own. Networks with it often take both halves of
a gate from one product; TPU-MLIR cuts that in two. The blocks of EVA-02 hold Rope and two products;
in a graph that has the ops instead, they are found after `fold`.
"""

from __future__ import annotations

from collections import Counter

from tpuc.search.patterns.program import Op, Program

__all__ = ["fold"]

_NEEDED = Counter({"Add": 1, "Mul": 2, "MulConst": 1, "Unsqueeze": 2, "Concat": 2})
_MOVING = {"Slice", "Squeeze", "Reshape"}


def fold(program: Program) -> Program:
    """The program with each rotary embedding as one Rope, under its last op's name and place.

    Without any, the program itself.
    """
    made: dict[str, tuple[Op, ...]] = {}
    for op in program.ops:
        if op.type == "Concat" and (found := _embedding(program, op)):
            made |= dict.fromkeys(found, ())
            made[op.name] = _rope(program, op, found)
    if not made:
        return program
    for op in program.ops:
        users = program.users(op.name)
        if op.type == "MatMul" and program.types(users) == ("Slice", "Slice"):
            made[op.name] = ()
            made |= {user: (Op(user, "MatMul", (user,), op.operands),) for user in users}
    return Program(tuple(new for op in program.ops for new in made.get(op.name, (op,))))


def _rope(program: Program, last: Op, inside: set[str]) -> tuple[Op, ...]:
    """Rope, and before it the Permute that the slices share."""
    before = program.producers(last.operands[0])[0]
    if before not in inside:
        return (Op(last.name, "Rope", last.results, (before,)),)
    permute = Op(before, "Permute", (before,), program.producers(before))
    return (permute, Op(last.name, "Rope", last.results, (before,)))


def _embedding(program: Program, last: Op) -> set[str] | None:
    """Ops of the embedding that `last` ends; None if there is none."""
    if program.types(last.operands) != ("Slice", "Add"):
        return None
    source = program.producers(last.operands[0])[0]
    found = _inside(program, last, source, _MOVING)
    if found is None and program.type(source) == "Permute":
        return _inside(program, last, program.producers(source)[0], _MOVING | {"Permute"})
    return found


def _inside(program: Program, last: Op, source: str, moving: set[str]) -> set[str] | None:
    """Ops between `source` and `last`; None if one is of no use there, or read elsewhere."""
    names, waiting = {last.name}, list(last.operands)
    while waiting:
        name = waiting.pop()
        if name == source or name in names:
            continue
        if program.type(name) not in moving | set(_NEEDED):
            return None
        names.add(name)
        waiting += program.producers(name)
    counts = Counter(t for t in map(program.type, names) if t not in moving)
    leaks = any(set(program.users(name)) - names for name in names - {last.name})
    return None if leaks or counts != _NEEDED else names
