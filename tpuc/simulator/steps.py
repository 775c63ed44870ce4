"""A graph of one batch size as a list of steps over fixed buffers."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping

import numpy as np

from tpuc.ir import DType, Graph, Node, Value
from tpuc.kernels._float import FloatView
from tpuc.kernels.casts import dequantize_factor, quantize_factor, through_bf16
from tpuc.kernels.float_conv import cast_end
from tpuc.kernels.image import is_bytes
from tpuc.simulator.heads import Heads, find_heads
from tpuc.simulator.image_kernel import ImageKernel
from tpuc.simulator.interpreter import run_node
from tpuc.simulator.plain import PlainKernel, run_heads
from tpuc.simulator.plan import Scratch, alias_of, allocate, border_casts, last_reads, views_of

__all__ = ["Chosen", "Machine", "Sink"]

Chosen = tuple[Mapping[str, ImageKernel], Mapping[str, PlainKernel]]
Step = Callable[[], None]
Sink = Callable[[str, np.ndarray], None]
Clock = dict[str, float] | None


def _timed(step: Step, name: str, clock: dict[str, float]) -> None:
    start = time.perf_counter()
    step()
    seconds = time.perf_counter() - start
    clock[name] = min(seconds, clock.get(name, seconds))


def _is_channels_last(array: np.ndarray) -> bool:
    return array.ndim == 4 and array.transpose(0, 2, 3, 1).flags.c_contiguous


class Machine:
    """Runs a graph of one batch size.

    Parameters
    ----------
    graph : Graph
        Dialect `tpu`.
    kernels : two mappings of op name to kernel
        Ops that run on C kernels over images, and over plain arrays; all others run on the
        reference.
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
        border = border_casts(graph, kernels[0])
        self.kernels = {n: k for n, k in kernels[0].items() if n not in border}
        self._on_plain = kernels[1]
        self._heads = find_heads(graph, kernels[1])
        self._inner = {name for heads in self._heads for name in heads.inner}
        self._images = self._find_images()
        self.root, self.layouts, self._lives = allocate(graph, self.kernels, self._images)
        self._dead = last_reads(graph)
        self._values = [[(v.name, v) for v in node.outputs] for node in graph.nodes]
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
        self._steps = [self._step(node) for node in self.graph.nodes]
        joined = {h.parts[0].name: self._heads_step(h) for h in self._heads}
        skipped = {name for h in self._heads for name in (*h.inner, h.total.name)}
        self._quick = [
            joined.get(n.name, lambda: None) if n.name in skipped else step
            for n, step in zip(self.graph.nodes, self._steps)
        ]

    def run(
        self, feeds: Mapping[str, np.ndarray], wanted: set[str], sink: Sink, clock: Clock = None
    ) -> None:
        """Run once.

        Parameters
        ----------
        wanted : set of str
            Tensors to hand to `sink`, in program order, in their stored type, as soon as they are
            there.
        clock : dict of str to float, optional
            Shortest time of each op so far, in seconds; updated.
        """
        plain = self._plain = dict(feeds)
        steps = self._quick if wanted.isdisjoint(self._inner) else self._steps
        for step, values, dead in zip(steps, self._values, self._dead):
            if clock is None:
                step()
            else:
                _timed(step, values[0][0], clock)
            for name, value in values:
                if name in wanted:
                    sink(name, self._result(value))
            for name in dead:
                plain.pop(name, None)
        self._plain = {}

    def walk(self, feeds: Mapping[str, np.ndarray], visit: Callable[[Node], None]) -> None:
        """Run once, and call `visit` after each op, while its operands and results are alive."""
        self._plain = dict(feeds)
        for node, step, dead in zip(self.graph.nodes, self._steps, self._dead):
            step()
            visit(node)
            for name in dead:
                self._plain.pop(name, None)
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

    def _find_images(self) -> set[str]:
        """Values that lie in the image buffer: results of C kernels and whatever those read."""
        images: set[str] = set()
        for node in self.graph.nodes:
            if node.name in self.kernels:
                images.update(v.name for v in self.kernels[node.name].inputs)
                images.add(node.name)
        for node in self.graph.nodes:  # an alias of an image is an image
            source = alias_of(node)
            if source is not None and source.name in images:
                images.add(node.name)
        for node in reversed(self.graph.nodes):  # and so is what an image is an alias of
            source = alias_of(node)
            if source is not None and node.name in images:
                images.add(source.name)
        for node in self.graph.nodes:
            source = alias_of(node)
            if source is not None and source.name in images:
                images.add(node.name)
        return images

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
            return lambda: None
        if node.op == "Cast":
            return self._cast_step(node)
        if node.name in self._on_plain:
            return self._plain_step(self._on_plain[node.name], node)
        return lambda: self._reference(node)

    def _heads_step(self, heads: Heads) -> Step:
        """Where the first head is: what all of them read may be gone later."""
        kernels = [self._on_plain[node.name].head for node in heads.parts]
        sources, name, threads = heads.parts[0].activations, heads.total.name, self.threads

        def step() -> None:
            self._plain[name] = run_heads(kernels, [self.array(v) for v in sources], threads)

        return step

    def _plain_step(self, kernel: PlainKernel, node: Node) -> Step:
        sources, name, threads = node.activations, node.name, self.threads
        view = self.views[name] if name in self._images else None

        def step() -> None:
            known = self._plain
            arrays = [known[v.name] if v.name in known else self.array(v) for v in sources]
            known[name] = array = kernel.run(arrays, threads)
            if view is not None:
                view.load(array.reshape(-1).view(np.uint8), threads)
                view.fill_halo(threads)

        return step

    def _input_step(self, node: Node) -> Step:
        """Inputs are plain arrays; one that a kernel reads as an image is copied there."""
        name, threads = node.name, self.threads
        if name not in self._images:
            return lambda: None
        view = self.views[name]

        def load() -> None:
            array = self._plain[name]
            if isinstance(view, FloatView) and _is_channels_last(array):
                view.pixels[...] = array.transpose(0, 2, 3, 1)
            else:
                view.load(np.ascontiguousarray(array).reshape(-1).view(np.uint8), threads)
            view.fill_halo(threads)

        return load

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
            return self._load_cast(source, out, through_bf16(node))
        if source.name in self._images and is_bytes(source) and out.dtype == DType.F32:
            return self._store_cast(source, out, through_bf16(node))
        return lambda: self._reference(node)

    def _load_cast(self, source: Value, out: Value, short: bool) -> Step:
        view, threads = self.views[out.name], self.threads
        end = cast_end(source.dtype, out.dtype, short) if out.dtype.is_float else None
        inverse = 0.0 if out.quant is None else quantize_factor(out.quant.scale, DType.F32, short)

        def load() -> None:
            array = np.ascontiguousarray(self.array(source), np.float32).reshape(-1)
            if end is None:
                view.quantize(array, inverse, threads, short)
            else:
                view.load_rounded(array, end, threads)
            view.fill_halo(threads)

        return load

    def _store_cast(self, source: Value, out: Value, short: bool) -> Step:
        assert source.quant is not None
        view = self.views[source.name]
        scale = dequantize_factor(source.quant.scale, out.dtype, short)

        def store() -> None:
            array = np.empty(out.shape, np.float32)
            view.dequantize(array.reshape(-1), scale, self.threads, short)
            self._plain[out.name] = array

        return store

    def _reference(self, node: Node) -> None:
        operands = [None if v is None else self.array(v) for v in node.inputs]
        for value, array in zip(node.outputs, run_node(node, operands)):
            array = np.ascontiguousarray(array)
            if value.name in self._images:
                view = self.views[value.name]
                view.load(array.reshape(-1).view(np.uint8), self.threads)
                view.fill_halo(self.threads)
            self._plain[value.name] = array
