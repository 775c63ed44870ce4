"""Intermediate representation.

Graph ─ Node ─ Value        graph.py     what a network is, and its edits
DType, QuantType            types.py     element types
TOP_OPS, TPU_OPS            ops.py       one row per op
infer_shapes                shapes.py    shape rules of Graph[top]
verify                      verify.py    invariants
print_mlir, parse_mlir      text.py      MLIR text plus npz of weights, as TPU-MLIR writes it
"""

from tpuc.ir.graph import Attr, Graph, Node, Value
from tpuc.ir.ops import TOP_OPS, TPU_OPS, spec_of, with_defaults
from tpuc.ir.spec import OpSpec
from tpuc.ir.types import DType, QuantType
from tpuc.ir.verify import verify

__all__ = [
    "TOP_OPS",
    "TPU_OPS",
    "Attr",
    "DType",
    "Graph",
    "Node",
    "OpSpec",
    "QuantType",
    "Value",
    "spec_of",
    "verify",
    "with_defaults",
]
