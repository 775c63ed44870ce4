"""The machines of a program: one for each batch size, made when it is needed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from tpuc.errors import Skip
from tpuc.ir import Graph
from tpuc.ir.batch import with_batch
from tpuc.simulator.plan import Scratch
from tpuc.simulator.steps import Chosen, Machine

__all__ = ["Machines"]

_KEPT = 4
"""Batch sizes whose buffers are kept."""


@dataclass
class _Models:
    """First machines of each batch size, which twins copy."""

    made: dict[int, Machine | None] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Machines:
    """Makes the machines of a graph, and keeps some.

    Parameters
    ----------
    graph : Graph
        Dialect `tpu`.
    kernels : three mappings of op name to kernel
        Those over images, those over plain arrays, and heads of attention.
    threads : int
    scratch : Scratch, optional
        Where images lie; else each machine has a buffer of its own.
    """

    def __init__(
        self,
        graph: Graph,
        kernels: Chosen,
        threads: int,
        scratch: Scratch | None = None,
        models: _Models | None = None,
    ) -> None:
        self._graph, self._kernels, self._threads = graph, kernels, threads
        self._scratch, self._models = scratch, models or _Models()
        self._kept: OrderedDict[int, Machine] = OrderedDict()

    def of(self, factor: int) -> Machine | None:
        """The machine of a batch `factor` times the graph's own; None if it can not be widened."""
        if factor not in self._kept:
            machine = self._make(factor)
            if machine is None:
                return None
            self._kept[factor] = machine
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(factor)
        return self._kept[factor]

    def twin(self, scratch: Scratch) -> Machines:
        """The same machines over `scratch`; twins plan each of them once."""
        return Machines(self._graph, self._kernels, self._threads, scratch, self._models)

    def _make(self, factor: int) -> Machine | None:
        if self._scratch is None:
            return self._planned(factor)
        with self._models.lock:
            if factor not in self._models.made:
                self._models.made[factor] = self._planned(factor)
                return self._models.made[factor]
            model = self._models.made[factor]
        return None if model is None else model.twin(self._scratch)

    def _planned(self, factor: int) -> Machine | None:
        wide = with_batch(self._graph, factor)
        if isinstance(wide, Skip):
            return None
        return Machine(wide, self._kernels, self._threads, self._scratch)
