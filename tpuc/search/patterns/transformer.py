"""Float ops of transformers: rules that walk over the whole network, not the matched blocks alone.

In every family: an Add that alone feeds a LayerNorm; SiLU; GELU. `FAMILIES` says what each has
besides, and which of those activations it keeps in integers.

Source: TPU-MLIR 1.30.2, tables that it writes for networks of each family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tpuc.search.patterns.program import Op, Program
from tpuc.search.patterns.rows import Rows

__all__ = ["FAMILIES", "Family", "apply", "general"]

DEEP = 20  # blocks from which on a ViT's ops before the first LayerNorm are float

Rule = Callable[[Program, Op, Rows], None]


@dataclass(frozen=True)
class Family:
    """What a family has besides the general rules.

    Parameters
    ----------
    types : tuple of str
        Types of which every op is float.
    rules : tuple of functions
        Called for each op, in program order.
    integer : tuple of str
        Of SiLU and GELU, those that stay quantized.
    deep_prefix : bool
        Deep networks are float before their first LayerNorm.
    """

    types: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    integer: tuple[str, ...] = ()
    deep_prefix: bool = False


def _feeds_only_a_norm(program: Program, op: Op) -> bool:
    return program.types(program.users(op.name)) == ("LayerNorm",)


def _add_before_norm(program: Program, op: Op, rows: Rows) -> None:
    if op.type == "LayerNorm" and program.types(op.operands) == ("Add",):
        rows.add(op.operands[0], f"Add before LayerNorm '{op.name}'")


def general(program: Program, op: Op, rows: Rows) -> None:
    """Rules of every family of transformers."""
    _add_before_norm(program, op, rows)
    if op.type in ("SiLU", "GELU"):
        rows.add(op.name, f"every {op.type}")


def _product_of_gate(program: Program, op: Op, rows: Rows) -> None:
    if op.type != "SiLU" or program.types(program.users(op.name)) != ("Mul",):
        return
    users = program.users(program.users(op.name)[0])
    if users and program.type(users[0]) == "MatMul":
        rows.add(users[0], f"MatMul after the gate of SiLU '{op.name}'")


def _product_of_softmax(program: Program, op: Op, rows: Rows) -> None:
    types = program.types(op.operands)
    if op.type == "MatMul" and len(types) == 2 and "Softmax" in types:
        rows.add(op.name, "MatMul of Softmax")
    if op.type == "Mul" and types == ("Softmax",):
        rows.add(op.name, "Mul of Softmax")


def _add_beside_norms(program: Program, op: Op, rows: Rows) -> None:
    if op.type == "Add" and "LayerNorm" not in program.types(program.users(op.name)):
        rows.add(op.name, "Add that feeds no LayerNorm")


def _permute_before_norm(program: Program, op: Op, rows: Rows) -> None:
    if op.type != "LayerNorm" or program.types(op.operands) != ("Reshape",):
        return
    before = program.producers(op.operands[0])
    if program.types(before) == ("Permute",):
        rows.add(before[0], f"Permute, Reshape before LayerNorm '{op.name}'")


def _product_of_gelu(program: Program, op: Op, rows: Rows) -> None:
    users = program.users(op.name)
    if op.type == "GELU" and users and program.type(users[0]) == "MatMul":
        rows.add(users[0], f"MatMul after GELU '{op.name}'")


def _add_not_only_to_norm(program: Program, op: Op, rows: Rows) -> None:
    if op.type == "Add" and not _feeds_only_a_norm(program, op):
        rows.add(op.name, "Add that feeds more than one LayerNorm")
    if op.type == "Mul" and program.types(op.operands) == ("LayerNorm",):
        rows.add(op.name, "Mul of LayerNorm")


def _all_but_plain_products(program: Program, op: Op, rows: Rows) -> None:
    plain = op.type == "MatMul" and program.types(op.operands) in (("LayerNorm",), ("Reshape",))
    if not plain and op.type not in ("Conv", "Scale", "Reshape"):
        rows.add(op.name, "neither Conv, Scale, Reshape nor MatMul of LayerNorm or Reshape")


_EVA02 = Family(rules=(_product_of_softmax, _add_beside_norms), integer=("SiLU",))
_BERT = Family(rules=(_product_of_gelu,))
_LARGE_BERT = Family(rules=(_add_not_only_to_norm,), integer=("GELU",))
_SWIN = Family(types=("Add",), rules=(_permute_before_norm,))
_DETR = Family(rules=(_all_but_plain_products,))

FAMILIES = {
    "eva_block": Family(types=("Add",), rules=(_product_of_gate,)),
    "eva02_block": _EVA02,
    "eva02_smc_block": _EVA02,
    "eva02_block_v1": Family(types=("Add",)),
    "_eva_block": Family(types=("Add",)),
    "bert_block": _BERT,
    "bert_block_1": _BERT,
    "bert_block_large_pt": _LARGE_BERT,
    "insert_mul_bert_block": _LARGE_BERT,
    "insert_mul_bert_block_1": _LARGE_BERT,
    "insert_mul_bert_block_2": _LARGE_BERT,
    "deit_block": Family(),
    "cswin_block": Family(),
    "vit_block": Family(integer=("GELU",), deep_prefix=True),
    "swin_block": _SWIN,
    "_swin_block": _SWIN,
    "swin_1_block": _SWIN,
    "_swin_1_block": Family(types=("Add", "Depth2Space")),
    "detr_block": _DETR,
    "detr_rc_50_block": _DETR,
    "clip_m2_encoder_block": Family(types=("Add",)),
}


def apply(program: Program, family: Family, count: int, rows: Rows) -> None:
    """Fill `rows`.

    Parameters
    ----------
    count : int
        How often the block occurs.
    """
    prefix = program.first("LayerNorm") if family.deep_prefix and count >= DEEP else 0
    for index, op in enumerate(program.ops):
        general(program, op, rows)
        if op.type in family.integer:
            rows.remove(op.name)
        if index < prefix and op.type != "Input" and not _late_add(program, op):
            rows.add(op.name, f"before the first LayerNorm of {count} blocks")
        for rule in family.rules:
            rule(program, op, rows)
        if op.type in family.types:
            rows.add(op.name, f"every {op.type}")


def _late_add(program: Program, op: Op) -> bool:
    return op.type == "Add" and _feeds_only_a_norm(program, op)
