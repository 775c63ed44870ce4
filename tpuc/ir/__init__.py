"""Intermediate representation.

Graph                       graph.py     what a network is, and its edits
Node, Value                 node.py      what it is made of: ops and tensors
DType, QuantType            types.py     element types
TOP_OPS, TPU_OPS            ops.py       one row per op
infer_shapes                shapes/      shape rules
verify                      verify.py    invariants
print_mlir, parse_mlir      text.py      MLIR text plus npz of weights, as TPU-MLIR writes it
"""

from tpuc.ir.graph import Graph
from tpuc.ir.node import Attr, Node, Value
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
