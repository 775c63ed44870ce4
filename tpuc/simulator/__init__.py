"""Simulator: Graph[tpu] and feeds to every tensor, bit-exact.

Program            program.py      compiled: C kernels, planned buffers, any batch
IncrementalRunner  incremental.py  many graphs that differ a little, on the same samples
SideBySide         side_by_side.py float and lowered network, op by op, while weights change
FloatEngine        float_engine.py the float network itself
interpret          interpreter.py  op by op on the numpy reference
"""

from tpuc.simulator.float_engine import FloatEngine
from tpuc.simulator.incremental import IncrementalRunner
from tpuc.simulator.interpreter import interpret, run_node
from tpuc.simulator.program import Observe, Program
from tpuc.simulator.side_by_side import SideBySide

__all__ = [
    "FloatEngine",
    "IncrementalRunner",
    "Observe",
    "Program",
    "SideBySide",
    "interpret",
    "run_node",
]
