"""Runs one op of a float network again, on operands rounded to few steps.

    y(th) = op(fq(x)),   fq(x) = clip(rint(x * 127 / th), -128, 127) / (127 / th)

What auto-tune asks for: how far is y(th) from y, for many thresholds th, with everything else as it
is. Images are rounded where they lie, halo and all (fq(0) = 0), and results are compared where they
are written: nothing is brought into another order.
"""

from __future__ import annotations

import threading

import numpy as np

from tpuc.ir import Node
from tpuc.kernels import _calib  # type: ignore[attr-defined]
from tpuc.kernels._float import FloatView
from tpuc.simulator.interpreter import run_node
from tpuc.simulator.steps import Machine

__all__ = ["Rerun"]

_MOVES = {"Reshape", "Permute", "Squeeze", "Unsqueeze", "Slice", "Tile", "Concat", "Depth2Space"}
"""Ops that only move numbers: op(fq(x)) = fq(op(x))."""


class Rerun:
    """One op; use it only while a machine's `walk` visits that op. Safe for many threads.

    Attributes
    ----------
    norms : float64 array (samples,)
        sum |y| of each sample.
    """

    def __init__(self, machine: Machine, node: Node, samples: int) -> None:
        self._machine, self._node, self._samples = machine, node, samples
        self._own = threading.local()
        self._kernel = machine.kernels.get(node.name)
        names = [v.name for v in self._kernel.inputs] if self._kernel is not None else []
        views = [machine.views.get(n) for n in (*names, node.name)]
        self._images = bool(names) and all(isinstance(v, FloatView) for v in views)
        if self._images:
            self._blocks = [v.block for v in views if v is not None]
            self._layouts = [machine.layouts[machine.root[n]] for n in (*names, node.name)]
        elif node.op not in _MOVES:
            self._plain = [
                None if v is None else np.ascontiguousarray(machine.array(v), np.float32)
                for v in node.inputs
            ]
        self._reference = self._rows()
        self.norms = np.abs(self._reference).sum(axis=1, dtype=np.float64)

    def _rows(self) -> np.ndarray:
        if self._images:
            return self._blocks[-1].reshape(self._samples, -1)
        array = np.ascontiguousarray(self._machine.array(self._node.output), np.float32)
        return array.reshape(self._samples, -1)

    def errors(self, threshold: float) -> np.ndarray:
        """|y - y(threshold)|_2 of each sample, float64."""
        if self._images:
            made = self._on_images(threshold)
        elif self._node.op in _MOVES:
            made = _rounded(self._reference, threshold)
        else:
            made = self._on_arrays(threshold)
        return np.sqrt(_calib.squared_distance(self._reference, made))

    def _on_images(self, threshold: float) -> np.ndarray:
        assert self._kernel is not None
        views = self._buffers()
        for block, view in zip(self._blocks[:-1], views):
            own = view.block.reshape(-1)
            _calib.fake_quantize(block.reshape(-1), 127.0 / threshold, own)
        self._kernel.run(views[:-1], views[-1], 1)
        return views[-1].block.reshape(self._samples, -1)

    def _buffers(self) -> list[FloatView]:
        """Images of this thread, laid out as the machine's."""
        if not hasattr(self._own, "views"):
            self._own.views = [
                layout.view(np.zeros(layout.size, np.uint8), 0) for layout in self._layouts
            ]
        return self._own.views

    def _on_arrays(self, threshold: float) -> np.ndarray:
        operands = []
        for value, array in zip(self._node.inputs, self._plain):
            moves = value is not None and not value.is_weight and array is not None
            operands.append(_rounded(array, threshold) if moves else array)  # type: ignore[arg-type]
        made = run_node(self._node, operands)[0]
        return np.ascontiguousarray(made, np.float32).reshape(self._samples, -1)


def _rounded(array: np.ndarray, threshold: float) -> np.ndarray:
    """fq(array), contiguous."""
    out = np.empty(array.shape, np.float32)
    whole = np.ascontiguousarray(array).reshape(-1)
    _calib.fake_quantize(whole, 127.0 / threshold, out.reshape(-1))
    return out
