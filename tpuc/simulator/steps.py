"""A graph of one batch size as a list of steps over fixed buffers."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from tpuc.ir import DType, Graph, Node, Value
from tpuc.kernels._awake import Awake
from tpuc.kernels._float import FloatView
from tpuc.kernels.attention import Rows
from tpuc.kernels.image import is_bytes
from tpuc.kernels.strided import as_array
from tpuc.simulator.border import load_cast, load_input, store_cast
from tpuc.simulator.heads import Heads, heads_run
from tpuc.simulator.image_kernel import ImageKernel
from tpuc.simulator.interpreter import run_node
from tpuc.simulator.plain import PlainKernel
from tpuc.simulator.plan import (
    Scratch,
    alias_of,
    allocate,
    border_casts,
    images_of,
    last_reads,
    views_of,
)

__all__ = ["Chosen", "Machine", "Sink"]

Chosen = tuple[Mapping[str, ImageKernel], Mapping[str, PlainKernel], Mapping[str, Heads]]
Step = Callable[[], None]
Sink = Callable[[str, np.ndarray], None]
Stage = tuple[list[Step], list[Value]]
"""Steps, and values that are wanted after them."""

_KEPT = 8
"""Plans by what is wanted."""


def _nothing() -> None:
    """The step of an op that leaves everything where it is."""


class Machine:
    """Runs a graph of one batch size.

    Parameters
    ----------
    graph : Graph
        Dialect `tpu`.
    kernels : three mappings of op name to kernel
        Ops that run on C kernels over images, and over plain arrays; all others run on the
        reference. The last: ops that also stand for those inside (`heads`).
    scratch : Scratch, optional
        Where images lie; may be shared with machines that never run at the same time. Results
        with four dimensions are channels last in memory then, as the images are.

    Attributes
    ----------
    kernels : dict of op name to ImageKernel
        Those that are used.
    views, layouts, root : dict
        Of values that lie in the image buffer, by name: view, layout of its image, name of its
        image.
    """

    def __init__(
        self,
        graph: Graph,
        kernels: Chosen,
        threads: int,
        scratch: Scratch | None = None,
    ) -> None:
        self.graph = graph
        self.threads = threads
        self._awake = Awake(threads)
        border = border_casts(graph, kernels[0])
        self.kernels = {n: k for n, k in kernels[0].items() if n not in border}
        self._on_plain, self._heads = kernels[1:]
        self._inner = {name for heads in self._heads.values() for name in heads.inner}
        self._known = {v.name: v for node in graph.nodes for v in node.outputs}
        late = {name: heads.reads for name, heads in self._heads.items()}
        self._images = images_of(graph, self.kernels, late)
        self.root, self.layouts, self._lives = allocate(graph, self.kernels, self._images, late)
        self._dead = last_reads(graph, late)
        self._lay_out(scratch)

    def twin(self, scratch: Scratch) -> Machine:
        """The same machine over another buffer."""
        other = copy.copy(self)
        other._lay_out(scratch)
        return other

    def _lay_out(self, scratch: Scratch | None) -> None:
        self._strided = scratch is not None
        self.views = views_of(self.root, self.layouts, self._lives, scratch or Scratch())
        self._plain: dict[str, np.ndarray] = {}
        self._rows: dict[tuple[int, ...], Rows] = {}
        self._steps = [self._step(node) for node in self.graph.nodes]
        self._quick = {name: self._heads_step(name, h) for name, h in self._heads.items()}
        self._quick.update(dict.fromkeys(self._inner, _nothing))
        self._stages: dict[frozenset[str], list[Stage]] = {}

    def run(self, feeds: Mapping[str, np.ndarray], wanted: set[str], sink: Sink) -> None:
        """Run once.

        Parameters
        ----------
        wanted : set of str
            Tensors to hand to `sink`, in program order, in their stored type, as soon as they are
            there.
        """
        key = frozenset(wanted)
        if key not in self._stages:
            if len(self._stages) >= _KEPT:
                self._stages.clear()
            self._stages[key] = self._plan(wanted)
        self._plain = dict(feeds)
        for steps, values in self._stages[key]:
            with self._awake:
                for step in steps:
                    step()
            for value in values:
                sink(value.name, self._result(value))
        self._plain = {}

    def _plan(self, wanted: set[str]) -> list[Stage]:
        """What there is to do, cut where something is wanted."""
        quick = self._quick if wanted.isdisjoint(self._inner) else {}
        others = [n for n in self.graph.nodes if n.name not in self.kernels]
        plain = {v.name for n in others for v in (*n.activations, *n.outputs)} | wanted
        stages: list[Stage] = []
        steps: list[Step] = []
        for node, step, dead in zip(self.graph.nodes, self._steps, self._dead):
            step = quick.get(node.name, step)
            if step is not _nothing:
                steps.append(step)
            values = [v for v in node.outputs if v.name in wanted]
            if values:
                stages.append((steps, values))
                steps = []
            kept = [name for name in dead if name in plain]
            if kept:
                steps.append(partial(self._drop, kept))
        return stages

    def _drop(self, names: Sequence[str]) -> None:
        for name in names:
            self._plain.pop(name, None)

    def measure(self, feeds: Mapping[str, np.ndarray], clock: dict[str, float]) -> None:
        """Run once; `clock`: shortest time of each op so far, in seconds, updated."""
        self._plain = dict(feeds)
        for node, step, dead in zip(self.graph.nodes, self._steps, self._dead):
            step = self._quick.get(node.name, step)
            start = time.perf_counter()
            step()
            seconds = time.perf_counter() - start
            self._drop(dead)
            clock[node.name] = min(seconds, clock.get(node.name, seconds))
        self._plain = {}

    def walk(self, feeds: Mapping[str, np.ndarray], visit: Callable[[Node], None]) -> None:
        """Run once, and call `visit` after each op, while its operands and results are alive."""
        self._plain = dict(feeds)
        for node, step, dead in zip(self.graph.nodes, self._steps, self._dead):
            step()
            visit(node)
            self._drop(dead)
        self._plain = {}

    def look(self, value: Value) -> np.ndarray:
        """A float value within `walk`: strided, without a copy where that is possible."""
        view = self.views.get(value.name)
        if value.name in self._plain or not isinstance(view, FloatView):
            return self.array(value)
        pixels = view.pixels.transpose(0, 3, 1, 2)
        return pixels if len(value.shape) == 4 else pixels.reshape(value.shape)

    def _result(self, value: Value) -> np.ndarray:
        """A value that outlives the run."""
        view = self.views.get(value.name)
        if self._strided and isinstance(view, FloatView) and len(value.shape) == 4:
            return np.array(view.pixels).transpose(0, 3, 1, 2)
        return self.array(value)

    def array(self, value: Value) -> np.ndarray:
        """A value as a plain array in its stored type."""
        if value.data is not None:
            return value.data
        if value.name in self._plain:
            return np.ascontiguousarray(self._plain[value.name])
        out = np.empty(value.shape, value.dtype.numpy)
        self.views[value.name].store(out.reshape(-1).view(np.uint8), self.threads)
        self._plain[value.name] = out
        return out

    def _step(self, node: Node) -> Step:
        if node.op == "Input":
            return self._input_step(node)
        if node.name in self.kernels:
            return self._kernel_step(self.kernels[node.name], node)
        if node.name in self._images and alias_of(node) is not None:
            return _nothing
        if node.name in self._on_plain:
            return self._plain_step(self._on_plain[node.name], node)
        if node.op == "Cast":
            return self._cast_step(node)
        return lambda: self._reference(node)

    def _heads_step(self, name: str, heads: Heads) -> Step:
        x, y = (self._known[n] for n in (heads.reads[0], name))
        mask = self._known[heads.reads[1]] if len(heads.reads) > 1 else None
        count, kernel, threads = x.shape[0] * x.shape[1], heads.kernel, self.threads
        if kernel.widths not in self._rows:
            self._rows[kernel.widths] = kernel.rows(count)
        source, target = self.views[x.name], self.views[name]
        arrays = as_array(source, x.shape), as_array(target, y.shape)
        run = heads_run(kernel, self._rows[kernel.widths], *arrays)

        def step() -> None:
            hidden = None if mask is None else self.array(mask)
            run(None if hidden is None else hidden.reshape(len(hidden), -1), threads)
            target.fill_halo(threads)

        return step

    def _plain_step(self, kernel: PlainKernel, node: Node) -> Step:
        sources, name, threads = node.activations, node.name, self.threads
        if name not in self._images:

            def step() -> None:
                self._plain[name] = kernel.run([self.array(v) for v in sources], threads)

            return step
        view, into = self.views[name], kernel.into

        def fill() -> None:
            arrays = [self.array(v) for v in sources]
            if into is not None:
                into(arrays, view, threads)
            else:
                self._plain[name] = array = kernel.run(arrays, threads)
                view.load(array.reshape(-1).view(np.uint8), threads)
            view.fill_halo(threads)

        return fill

    def _input_step(self, node: Node) -> Step:
        """Inputs are plain arrays; one that a kernel reads as an image is copied there."""
        name, threads = node.name, self.threads
        if name not in self._images:
            return _nothing
        load = load_input(self.views[name], threads)
        return lambda: load(self._plain[name])

    def _kernel_step(self, kernel: ImageKernel, node: Node) -> Step:
        names = [v.name for v in kernel.inputs]
        sources, target = [self.views[n] for n in names], self.views[node.name]
        run, threads = kernel.on(sources, target), self.threads

        def step() -> None:
            run(threads)
            target.fill_halo(threads)

        return step

    def _cast_step(self, node: Node) -> Step:
        """Plain float32 to image and 8-bit image to plain float32 in one go."""
        source, out = node.activations[0], node.output
        plain = source.dtype == DType.F32 and source.name not in self._images
        if plain and out.name in self._images:
            load = load_cast(node, self.views[out.name], self.threads)
            return lambda: load(self.array(source))
        if source.name in self._images and is_bytes(source) and out.dtype == DType.F32:
            store = store_cast(node, self.views[source.name], self.threads)
            return lambda: self._plain.update({out.name: store()})
        return lambda: self._reference(node)

    def _reference(self, node: Node) -> None:
        operands = [None if v is None else self.array(v) for v in node.inputs]
        for value, array in zip(node.outputs, run_node(node, operands)):
            array = np.ascontiguousarray(array)
            if value.name in self._images:
                view = self.views[value.name]
                view.load(array.reshape(-1).view(np.uint8), self.threads)
                view.fill_halo(self.threads)
            self._plain[value.name] = array
