"""The simulator: runs Graph[tpu], bit-exactly for integers.

    program.py      a graph compiled for batches: the door
    interpreter.py  op by op on the reference kernels
    floating.py     float ops, rounded to their type
"""

from tpuc.simulator.program import Program

__all__ = ["Program"]
