"""Runs many graphs that differ a little on the same samples.

A search changes one op at a time: everything before the op is as it was. Tensors are therefore
known by what they hold (`identity.Identity`), some are kept, and of each further graph only the ops
run that lie between kept tensors and the tensors asked for. The numbers are those of a full run:
the same kernels run on the same operands. Batches run side by side, each on a thread of its own:
no thread waits for another after every op.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np

from tpuc.ir import Graph, Node, Value, with_defaults
from tpuc.kernels.casts import to_float32
from tpuc.simulator.identity import Identity
from tpuc.simulator.plan import Scratch
from tpuc.simulator.program import Kernels, Program

__all__ = ["IncrementalRunner"]

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Part:
    """The ops of a graph that have to run, and the kept tensors that they start from."""

    programs: tuple[Program, ...]
    kept: Mapping[str, int]


class IncrementalRunner:
    """Graphs on a fixed list of batches.

    Parameters
    ----------
    batches : sequence of dict of input name to float32 array
        First dimensions are multiples of the graphs' own batch.
    threads : int, optional
        As `Program`.

    Attributes
    ----------
    ops_run, ops_asked : int
        How many ops ran so far, and how many a full run of every graph would have run.
    """

    def __init__(
        self, batches: Sequence[Mapping[str, np.ndarray]], threads: int | None = None
    ) -> None:
        self._batches = list(batches)
        threads = threads or len(os.sched_getaffinity(0))
        workers = max(1, min(threads, len(self._batches)))
        self._threads = threads // workers
        self._free: SimpleQueue[int] = SimpleQueue()
        for worker in range(workers):
            self._free.put(worker)
        self._scratch = [Scratch() for _ in range(workers)]
        self._pool = ThreadPoolExecutor(workers)
        self._identity = Identity()
        self._kernels: Kernels = {}
        self._held: dict[int, list[np.ndarray]] = {}
        self.ops_run = self.ops_asked = 0

    @property
    def held_bytes(self) -> int:
        """Memory of all kept tensors."""
        return sum(a.nbytes for arrays in self._held.values() for a in arrays)

    def run(self, graph: Graph, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        """Tensors of a graph as real numbers, float32: one dict for each batch.

        The batches begin at once, behind those of runs that were asked for before; what is not
        begun when the iterator is closed is dropped.

        Raises
        ------
        KeyError : the graph has no such tensor
        """
        values = {v.name: v for v in graph.values()}
        numbers = self._identity.names(graph)
        part = self._part(graph, names, numbers)
        self.ops_asked += len(graph)

        def real(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {n: to_float32(arrays[n], values[n]) for n in names}

        return _Runs(self._begin(part, names), real)

    def hold(self, base: Graph, variants: Iterable[Graph], at: str) -> None:
        """Keep what `variants` need of `base`, and forget everything else.

        Kept are the tensors of `base` that an op reads which only a variant has, and those that
        are alive just before the op that makes tensor `at`: where the next variants begin, if ops
        are varied in program order.
        """
        numbers = self._identity.names(base)
        known = set(numbers.values())
        wanted = {numbers[n] for n in _alive(base, at)}
        for variant in variants:
            theirs = self._identity.names(variant)
            for node in variant.nodes:
                if node.op != "Input" and theirs[node.name] not in known:
                    wanted |= {theirs[v.name] for v in node.activations} & known
        names = [n for n, number in numbers.items() if number in wanted and not _is_input(base, n)]
        kept = self._compute(base, names, numbers)
        self._held = {numbers[n]: arrays for n, arrays in kept.items()}

    def _compute(
        self, graph: Graph, names: Sequence[str], numbers: Mapping[str, int]
    ) -> dict[str, list[np.ndarray]]:
        part = self._part(graph, names, numbers)
        runs = [run.result() for run in self._begin(part, names)]
        return {n: [run[n] for run in runs] for n in names}

    def _begin(self, part: _Part, names: Sequence[str]) -> list[Future[Arrays]]:
        """Stored values of every batch."""
        if part.programs:
            graph = part.programs[0].graph
            self.ops_run += len(graph) - len(graph.inputs)
        indices = range(len(self._batches))
        return [self._pool.submit(self._raw, part, index, names) for index in indices]

    def _raw(self, part: _Part, index: int, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Stored values of one batch."""
        kept = {n: self._held[number][index] for n, number in part.kept.items()}
        arrays = {n: a for n, a in kept.items() if n in names}
        if not part.programs:
            return arrays
        inputs = {v.name for v in part.programs[0].graph.inputs}
        feeds = {n: a for n, a in {**self._batches[index], **kept}.items() if n in inputs}
        worker = self._free.get()
        try:
            return {**arrays, **part.programs[worker].run(feeds, raw=True)}
        finally:
            self._free.put(worker)

    def _part(self, graph: Graph, names: Collection[str], numbers: Mapping[str, int]) -> _Part:
        """Walk back from `names` to what is kept."""
        producers = {v.name: n for n in graph.nodes for v in n.outputs}
        needed: set[str] = set()
        kept: dict[str, int] = {}
        queue = list(names)
        while queue:
            name = queue.pop()
            if numbers[name] in self._held:
                kept[name] = numbers[name]
            elif producers[name].name not in needed:
                needed.add(producers[name].name)
                queue.extend(v.name for v in producers[name].activations)
        nodes = [n for n in graph.nodes if n.name in needed]
        if not nodes:
            return _Part((), kept)
        wanted = [n for n in names if n not in kept]
        cut = _cut(graph, nodes, kept, wanted)
        program = Program(cut, self._threads, self._kernels, self._identity)
        return _Part(tuple(program.twin(scratch) for scratch in self._scratch), kept)


class _Runs(Iterator[Arrays]):
    """Batches in order, as they get ready; what is not begun is dropped with this object."""

    def __init__(self, runs: Sequence[Future[Arrays]], real: Callable[[Arrays], Arrays]) -> None:
        self._runs = deque(runs)
        self._real = real

    def __next__(self) -> Arrays:
        if not self._runs:
            raise StopIteration
        return self._real(self._runs.popleft().result())

    def __del__(self) -> None:
        for run in self._runs:
            run.cancel()
        wait(self._runs)


def _is_input(graph: Graph, name: str) -> bool:
    return any(v.name == name for v in graph.inputs)


def _alive(graph: Graph, at: str) -> set[str]:
    """Tensors made before the producer of `at` that it or a later op reads.

    None of them where `at` is no tensor: lowering has fused or cut the op.
    """
    made: set[str] = set()
    for index, node in enumerate(graph.nodes):
        if any(v.name == at for v in node.outputs):
            later = graph.nodes[index:]
            return made & {v.name for n in later for v in n.activations}
        made.update(v.name for v in node.outputs)
    return set()


def _cut(
    graph: Graph, nodes: Sequence[Node], kept: Collection[str], wanted: Sequence[str]
) -> Graph:
    """A graph of some ops of `graph`; kept tensors become inputs of their own type."""
    cut = Graph(graph.name, graph.dialect, graph.attrs)
    fresh: dict[str, Value] = {}
    for value in graph.values():
        if value.name in kept:
            fresh[value.name] = twin = Value(value.name, value.shape, value.dtype, value.quant)
            cut.add("Input", [], [twin], with_defaults("Input", {}, "tpu"))
    for node in nodes:
        operands = [v if v is None or v.is_weight else fresh[v.name] for v in node.inputs]
        outs = [Value(v.name, v.shape, v.dtype, v.quant) for v in node.outputs]
        cut.add(node.op, _own_weights(operands), outs, node.attrs)
        fresh.update((v.name, v) for v in outs)
    cut.outputs = [fresh[name] for name in wanted]
    return cut


def _own_weights(operands: Sequence[Value | None]) -> list[Value | None]:
    """Weights as values of this graph, over the same arrays."""
    return [
        v if v is None or v.data is None else Value(v.name, v.shape, v.dtype, v.quant, v.data)
        for v in operands
    ]
