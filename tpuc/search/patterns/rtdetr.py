"""Float ops of RT-DETRv2: around its two TopK, the decoder's attentions, box refinement, the tail.

A part is found as a window: ops that stand together in program order and whose types, sorted, are
those of the part. The second TopK and the class index computed from it are F32.

Source: TPU-MLIR 1.30.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from tpuc.search.patterns.blocks import expand
from tpuc.search.patterns.program import Program
from tpuc.search.patterns.rows import Rows

__all__ = ["select"]

TOPKS = 2
SELF_ATTENTION = expand("AP2M3RPR2PKPMXMPRMRPA")
CROSS_ATTENTION = expand("AMRMRMRXUS*KSAPRS3KkPRS3RgRgRgPRC*rRPMA")
MLP = expand("LM2A")
REFINEMENT = ("Relu", "Clip", "SubConst", "Clip", "Div", "Log", "Add", "Sigmoid")
TAIL = {"Slice": 4, "Squeeze": 4}


def select(program: Program, block: str) -> tuple[Rows, Rows, tuple[str, ...]]:
    """Find the float ops of a network in which the block occurs.

    Returns
    -------
    tuple of (Rows, Rows, tuple of str)
        In the processor's float type, in program order; in F32; the lines to print.
    """
    rows, precise = Rows(block), Rows(block)
    topks = [i for i, op in enumerate(program.ops) if op.type == "TopK"]
    if len(topks) != TOPKS:
        line = f"Expected {TOPKS} topk ops in rtdetrv2 block, but found {len(topks)}."
        return rows, precise, (line,)
    names = [op.name for op in program.ops]
    for i in topks:  # a TopK is known by its second result, the indices
        names[i] = program.ops[i].results[-1]
    messages = []
    if not _queries(program, names[topks[0]], rows):
        messages.append(
            "Failed to match the pattern after the 1st topk op in rtdetrv2 block. The pattern "
            "should be topk -> unsqueeze -> tile -> gatherelements -> sigmoid."
        )
    if not _classes(program, names[topks[1]], precise):
        messages.append(
            "Failed to match the pattern after the 2nd topk op in rtdetrv2 block. The pattern "
            "should be topk -> mulconst -> floor -> mulconst -> sub."
        )
    messages += _windows(program, names, topks[0], rows, precise)
    rows.sort(names)
    for name in precise:
        rows.remove(name)
    return rows, precise, tuple(messages)


def _queries(program: Program, topk: str, rows: Rows) -> bool:
    """TopK -> Unsqueeze -> two Tiles, one of which picks (GatherElements) rows of an Add."""
    unsqueeze = _only(program, program.single_users(topk), "Unsqueeze")
    tiles = program.single_users(unsqueeze) if unsqueeze else ()
    if program.types(tiles) != ("Tile", "Tile"):
        return False
    matched = False
    for tile in tiles:
        gather = program.single_users(tile)
        if program.types(gather) != ("GatherElements",):
            continue
        add = _only(program, program.producers(gather[0]), "Add")
        sigmoid = program.single_users(gather[0])
        if add and program.types(sigmoid) == ("Sigmoid",):
            for name in (topk, unsqueeze, *tiles, add, sigmoid[0]):
                rows.add(name, "selection of queries, after the first TopK")
            matched = True
    return matched


def _classes(program: Program, topk: str, rows: Rows) -> bool:
    """TopK -> MulConst -> Floor -> MulConst -> Sub: index of a class from that of a score."""
    users = program.single_users(topk)
    types = program.types(users)
    if "Sub" not in types or "MulConst" not in types:
        return False
    at = types.index("MulConst")
    scaled, rest = users[at], users[1 - at]
    floor = program.single_users(scaled)
    if program.types(floor) != ("Floor",):
        return False
    after = program.single_users(floor[0])
    back = _only(program, after, "MulConst")
    if len(after) != 2 or not back or program.single_users(back) != (rest,):
        return False
    for name in (topk, scaled, floor[0], back, rest):
        rows.add(name, "class index, after the second TopK")
    return True


def _only(program: Program, names: tuple[str, ...], type_: str) -> str:
    """The first of `names` with that type; empty if there is none."""
    return next((n for n in names if program.type(n) == type_), "")


def _windows(
    program: Program, names: list[str], first: int, rows: Rows, precise: Rows
) -> list[str]:
    types = [op.type for op in program.ops]
    for part, why in ((SELF_ATTENTION, "self-attention"), (CROSS_ATTENTION, "cross-attention")):
        for i in _places(types, part, first):
            for name in names[i : i + len(part)]:
                rows.add(name, f"{why} of the decoder")
    for i in range(len(types) - len(MLP) + 1):
        if tuple(types[i : i + len(MLP)]) == MLP:
            rows.add(names[i + len(MLP) - 1], "Add after an MLP")
    refinements = list(_places(types, REFINEMENT, 0))
    for i in refinements:
        for name in names[i : i + len(REFINEMENT)]:
            rows.add(name, "refinement of boxes")
    messages = [
        f"Found {len(refinements)} sequences of Relu, Clip, SubConst, Clip, Div, Log, Add, Sigmoid "
        "in rtdetrv2 block."
    ]
    part = tuple(t for t, times in TAIL.items() for _ in range(times))
    start = next(_places(types, part, 0), None)
    if start is None:
        messages.append(
            "Failed to match the postprocess pattern in rtdetrv2 block. The pattern should contain "
            "4 top.Slice ops and 4 top.Squeeze ops."
        )
    for name in names[start:] if start is not None else ():
        if name not in precise:
            rows.add(name, "boxes to outputs")
    return messages


def _places(types: list[str], part: tuple[str, ...], first: int) -> Iterator[int]:
    """Where a window has the types of `part`, in any order."""
    wanted = sorted(part)
    for i in range(first, len(types) - len(part) + 1):
        if sorted(types[i : i + len(part)]) == wanted:
            yield i
