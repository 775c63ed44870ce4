"""Simulator: Graph[tpu] and feeds to every tensor, bit-exact.

Program       program.py      compiled: C kernels, planned buffers, any batch
interpret     interpreter.py  op by op on the numpy reference
"""

from tpuc.simulator.interpreter import interpret, run_node
from tpuc.simulator.program import Observe, Program

__all__ = ["Observe", "Program", "interpret", "run_node"]
