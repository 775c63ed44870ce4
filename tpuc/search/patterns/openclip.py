"""Float ops of OpenCLIP: normalization of both embeddings, all indexing, one MLP of the text tower.

Source: TPU-MLIR 1.30.2.
"""

from __future__ import annotations

from tpuc.search.patterns.blocks import CLIP_BLOCKS, word
from tpuc.search.patterns.program import Op, Program
from tpuc.search.patterns.rows import Rows
from tpuc.search.patterns.transformer import general

__all__ = ["apply", "counts"]

NORMS = 2  # one of pictures, one of texts
MLP = slice(27, 32)  # within a text block: MatMul, MulConst, Sigmoid, Mul, MatMul
ALWAYS = ("Abs", "Reduce", "Sqrt", "Softmax", "Gather", "Slice", "Squeeze", "Arg", "Concat")


def counts(program: Program) -> dict[str, int]:
    """How often each block occurs; empty unless this is an OpenCLIP network."""
    found = {name: program.joined.count(word(block)) for name, block in CLIP_BLOCKS.items()}
    return found if all(found.values()) and found["l2_norm_block"] == NORMS else {}


def apply(program: Program, rows: Rows) -> None:
    """Fill `rows`."""
    before_text = program.joined.split(word(CLIP_BLOCKS["openclip_text_block"]))[0]
    text = before_text.count("top.")
    mlp = range(text + MLP.start, text + MLP.stop)
    last = max(i for i, op in enumerate(program.ops) if op.type.startswith("MatMul"))
    for index, op in enumerate(program.ops):
        general(program, op, rows)
        if index >= last:
            rows.add(op.name, "the last MatMul and what follows it")
        elif index in mlp:
            rows.add(op.name, "MLP of the first text block")
        elif op.type in ALWAYS:
            rows.add(op.name, f"every {op.type}")
        elif op.type == "Div":
            rows.add(f"{op.name}_inv", "every Div")
        elif _of_norm(program, op):
            rows.add(op.name, f"{op.type} beside normalization")
        elif op.type == "Add" and _add(program, op):
            rows.add(op.name, "Add of Adds, or that feeds one Add, Slice or Gather")


def _of_norm(program: Program, op: Op) -> bool:
    if op.type == "Mul":
        return program.types(program.users(op.name)) == ("Reduce",)
    return op.type == "Permute" and program.types(op.operands) == ("Div",)


def _add(program: Program, op: Op) -> bool:
    users = program.types(program.users(op.name))
    return users in (("Add",), ("Slice",), ("Gather",)) or set(program.types(op.operands)) == {
        "Add"
    }
