"""Op orders made by chance around the blocks of known families.

A case is `{"ops": [[type, results, operands, attributes], ...], "outputs": [...]}`.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cases"]

_FILE = Path(__file__).resolve().parents[2] / "tpuc" / "search" / "patterns" / "blocks.py"
_SPEC = importlib.util.spec_from_file_location("blocks", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
blocks = importlib.util.module_from_spec(_SPEC)  # without tpuc: this runs beside TPU-MLIR
_SPEC.loader.exec_module(blocks)

OPERANDS = {"Add": 2, "Mul": 2, "Div": 2, "Sub": 2, "Concat": 3, "MatMul": 2, "GatherElements": 2,
            "Where": 3}  # fmt: skip
OTHERS = (
    "Relu Add SiLU GELU LayerNorm MatMul Mul Conv Softmax Reshape Permute Concat Depth2Space Scale "
    "LeakyRelu TopK Slice AddConst Gather Arg Cast Shape Tile Squeeze Unsqueeze GatherElements "
    "Where Abs Reduce"
).split()
CASTS = ("INT32", "INT8", "F32", "F16")
SELF_ATTENTION = "AP2M3RPR2PKPMXMPRMRPA"
CROSS_ATTENTION = "AMRMRMRXUS*KSAPRS3KkPRS3RgRgRgPRC*rRPMA"
REFINEMENT = ("Relu", "Clip", "SubConst", "Clip", "Div", "Log", "Add", "Sigmoid")


class Builder:
    """Collects ops; names are type and number."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ops: list[list] = [["Input", ["in0"], [], {}]]

    def add(self, op: str, *operands: str) -> str:
        """An op with one result."""
        return self.several(op, operands, 1)[0]

    def several(self, op: str, operands: tuple[str, ...], count: int) -> list[str]:
        """An op with `count` results."""
        number = len(self.ops)
        names = [f"{op}{number}{'abc'[i] if count > 1 else ''}" for i in range(count)]
        attrs = {"to": self.chance.choice(CASTS)} if op == "Cast" else {}
        self.ops.append([op, names, list(operands), attrs])
        return names

    def chain(self, start: str, types: tuple[str, ...]) -> str:
        """Ops one after another; second operands are earlier ones of the chain."""
        names = [start]
        for op in types:
            more = op in OPERANDS and self.chance.random() < 0.7
            names.append(self.add(op, names[-1], *([self.chance.choice(names[-4:])] * more)))
        return names[-1]

    def case(self) -> dict:
        """The case; what nobody reads is an output."""
        read = {name for op in self.ops for name in op[2]}
        names = [name for op in self.ops for name in op[1]]
        return {"ops": self.ops, "outputs": [name for name in names if name not in read]}

    def likely(self, probability: float) -> bool:
        return self.chance.random() < probability


def cases(chance: random.Random, rounds: int) -> Iterator[dict]:
    """Cases of every family, `rounds` of each."""
    for _ in range(rounds):
        for name, block in blocks.BLOCKS.items():
            copies = chance.choice([1, 2, 3, 20] if name == "vit_block" else [1, 2])
            yield _around(chance, block, copies)
        yield _tangle(chance, [chance.choice(OTHERS) for _ in range(30)])
        yield from (_clip(chance), _rtdetr(Builder(chance)), _yolo26(Builder(chance)))


def _around(chance: random.Random, block: str, copies: int) -> dict:
    types = chance.choices(OTHERS, k=chance.randint(0, 8))
    for _ in range(copies):
        types += [*blocks.expand(block), *chance.choices(OTHERS, k=chance.randint(0, 4))]
    return _tangle(chance, types)


def _tangle(chance: random.Random, types: list[str]) -> dict:
    """Ops that mostly read the op before, and else any of the last ones."""
    build, names = Builder(chance), ["in0"]
    for op in types:
        count = OPERANDS.get(op, 1)
        if count > 1 and build.likely(0.4 if op == "MatMul" else 0.2):
            count = 2 if op == "Concat" else 1
        first = names[-1] if build.likely(0.9) else chance.choice(names[-6:])
        rest = [chance.choice(names[-5:] if build.likely(0.9) else names) for _ in range(count - 1)]
        operands = [first, *rest]
        if build.likely(0.3):
            chance.shuffle(operands)
        names += build.several(op, tuple(operands), 2 if op == "TopK" else 1)
    return build.case()


def _clip(chance: random.Random) -> dict:
    types = chance.choices(["Conv", "Add", "Gather", "Slice", "Permute", "Concat"], k=4)
    towers = [
        *["openclip_vision_block"] * chance.randint(1, 2),
        *["openclip_text_block"] * chance.randint(1, 2),
    ]
    chance.shuffle(towers)
    for name in towers:
        between = ["Add", "Mul", "Slice", "Gather", "Permute", "Arg", "AddConst"]
        types += [*blocks.expand(blocks.CLIP_BLOCKS[name]), *chance.choices(between, k=3)]
    for _ in range(2 if chance.random() < 0.8 else chance.choice([1, 3])):
        types += blocks.expand(blocks.CLIP_BLOCKS["l2_norm_block"])
        types += ["Permute"] * chance.randint(0, 1)
    return _tangle(chance, [*types, "MatMul", "MulConst", "Permute"])


def _rtdetr(build: Builder) -> dict:
    """Two TopK with what belongs to them, decoder layers between; parts are missing by chance."""
    chance, add = build.chance, build.add
    features = add("Conv", "in0")
    scored = add("Add", features, features)
    scores, indices = build.several("TopK", (add("Reduce", scored),), 2)
    raised = add("Unsqueeze", indices if build.likely(0.9) else scores)
    picked = add("GatherElements", scored, add("Tile", raised))
    x = add("Mul", picked, features)
    if build.likely(0.8):
        other = add("GatherElements", features, add("Tile", raised))
        x = add("Mul", add("Sigmoid", picked), other)
    for _ in range(chance.randint(1, 3)):
        x = _decoder_layer(build, x)
    _, indices = build.several("TopK", (add("Reshape", x),), 2)
    raised = indices
    if build.likely(0.85):
        scaled = add("MulConst", indices)
        if build.likely(0.3):
            add("Unsqueeze", indices)
        raised = add("Floor", scaled)
        add("Sub", indices, add("MulConst", raised))
    sides = [x]
    if build.likely(0.8):
        sides = [add("Squeeze", s) for s in [add("Slice", x) for _ in range(4)]]
    boxes = add("Concat", *sides)
    add("Mul", add("GatherElements", boxes, add("Tile", add("Unsqueeze", raised))), boxes)
    if build.likely(0.1):
        build.several("TopK", (boxes,), 2)
    return build.case()


def _decoder_layer(build: Builder, x: str) -> str:
    if build.likely(0.9):
        own = list(blocks.expand(SELF_ATTENTION))
        at = build.chance.randrange(len(own) - 1)
        own[at], own[at + 1] = own[at + 1], own[at]
        x = build.chain(x, tuple(own))
    x = build.chain(build.add("LayerNorm", x), blocks.expand(CROSS_ATTENTION))
    x = build.add("LayerNorm", x)
    hidden = build.add("MatMul", build.add("MatMul", x))
    x = build.add("LayerNorm", build.add("Add", x, hidden))
    refinement = list(REFINEMENT)
    if build.likely(0.5):
        build.chance.shuffle(refinement)
    return build.chain(x, tuple(refinement))


def _yolo26(build: Builder) -> dict:
    """Pools, attention, a head of three scales; some corners are not what the rules expect."""
    chance, add = build.chance, build.add
    x = add("SiLU", add("Conv", "in0"))
    pools = [add("MaxPool", x)]
    for _ in range(2):
        pools.append(add("MaxPool", pools[-1]))
    x = add("Concat", x, *pools)
    for pair in (("trans_block", "trans_block_v1"), ("typical_block_nsm", "typical_block_lx")):
        x = build.chain(x, blocks.expand(blocks.YOLO26_BLOCKS[chance.choice(pair)]))
    box, classes = [], []
    for _ in range(3):
        stem = add("SiLU", add("Conv", x))
        box.append(add("Reshape", add("Conv", add("SiLU", add("Conv", stem)))))
        start = stem if build.likely(0.5) else x
        classes.append(add("Reshape", add("Conv", add("SiLU", add("Conv", start)))))
    if build.likely(0.3):
        _two_slices(build, classes[:2])
    distances, scores = add("Concat", *box), add("Concat", *classes)
    left, right = add("Slice", distances), add("Slice", distances)
    if build.likely(0.15):
        add("Relu", left)
    first = add(chance.choice(["Sub", "Sub", "Sub", "Add", "Mul"]), left)
    scaled = add("Mul", add("Concat", first, add("Add", right)))
    joined = [scaled, add("Sigmoid", scores)]
    chance.shuffle(joined)
    out = add("Concat", *joined)
    if build.likely(0.3):
        _two_slices(build, [out, out])
    add("Permute", out)
    return build.case()


def _two_slices(build: Builder, operands: list[str]) -> None:
    both = build.add("Concat", *operands)
    build.add("Slice", both)
    build.add("Slice", both)
