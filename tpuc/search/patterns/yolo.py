"""Float ops of YOLO detectors: from the last convolution of each branch of the head on.

    SiLU or LeakyRelu -> Conv (head) -> Concat or Reshape -> ... -> outputs

Nets of the 26th version whose attention scales after its product are float in two stages: the
branches of the head as a pattern, what `tail` finds in the more precise type.

Source: TPU-MLIR 1.30.2, tables that it writes for versions 5 to 12 and 26.
"""

from __future__ import annotations

from tpuc.search.patterns.blocks import YOLO26_BLOCKS, word
from tpuc.search.patterns.program import Op, Program
from tpuc.search.patterns.rows import Rows

__all__ = ["branches", "has_two_stages", "tail"]


def _is_head(program: Program, op: Op) -> bool:
    users = program.users(op.name)
    if op.type != "Conv" or len(users) != 1 or len(op.operands) != 1:
        return False
    if program.type(users[0]) not in ("Concat", "Reshape"):
        return False
    if program.type(op.operands[0]) not in ("SiLU", "LeakyRelu"):
        return False
    return "Conv" not in program.types(program.users(users[0]))


def tail(program: Program, rows: Rows) -> None:
    """Add head convolutions and all that follows them, breadth first."""
    for op in program.ops:
        if not _is_head(program, op):
            continue
        rows.add(op.name, "last convolution of a branch of the head")
        waiting = list(program.users(op.name))
        while waiting:
            name = waiting.pop(0)
            if name not in rows:
                rows.add(name, f"after the head's convolution '{op.name}'")
                waiting.extend(program.users(name))


def has_two_stages(program: Program) -> bool:
    """True if the blocks of version 26 occur: one of attention and one of its cross stages."""
    found = {name: word(block) in program.joined for name, block in YOLO26_BLOCKS.items()}
    return (found["trans_block"] or found["trans_block_v1"]) and (
        found["typical_block_nsm"] or found["typical_block_lx"]
    )


def branches(program: Program, rows: Rows) -> bool:
    """Add the box and class branches of the head.

    Returns
    -------
    bool
        False if the head was not found.
    """
    box, corners = _box_concat(program)
    scores = _class_concat(program, corners) if corners else ""
    if not scores:
        return False
    waiting = [*program.producers(box), *program.producers(scores)]
    while waiting:
        name = waiting.pop()
        rows.add(name, f"branch of the head, before '{box}' or '{scores}'")
        before = program.producers(name)
        if len(before) == 1 and len(program.users(before[0])) == 1:
            waiting.append(before[0])
    return True


def _box_concat(program: Program) -> tuple[str, str]:
    """The Concat of distances and the Concat of corners made from its two Slices."""
    found = ("", "")
    for op in program.ops:
        users = program.users(op.name)
        if op.type != "Concat" or program.types(users) != ("Slice", "Slice"):
            continue
        corners = [_corner_concat(program, s) for s in users]
        if not corners[0] or corners[0] != corners[1]:
            break
        found = (op.name, corners[0])
    return found


def _corner_concat(program: Program, slice_: str) -> str:
    """The Concat behind Slice -> Add or Sub -> Concat, each the only user; else nothing."""
    users = program.users(slice_)
    if program.types(users) not in (("Add",), ("Sub",)):
        return ""
    users = program.users(users[0])
    return users[0] if program.types(users) == ("Concat",) else ""


def _class_concat(program: Program, corners: str) -> str:
    """Corners -> scaled -> joined with Sigmoid(classes): the Concat of the classes."""
    scaled = program.users(corners)[:1]
    joined = program.users(scaled[0])[:1] if scaled else ()
    others = [p for p in program.producers(joined[0]) if p != scaled[0]] if joined else []
    return next(iter(program.producers(others[0])), "") if others else ""
