"""Compiled simulation of a Graph[tpu].

    Program(graph).run({"input": pictures})

Each op runs on a C kernel over images (channels last, in one planned buffer) where one fits, else
on the numpy reference over plain NCHW arrays. Values are converted where the two meet. Results do
not depend on the number of threads or on the instruction set.
"""

from __future__ import annotations

import copy
import difflib
import os
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np

from tpuc.errors import DataError, Skip
from tpuc.ir import Graph, Node, Value
from tpuc.kernels.casts import to_float32
from tpuc.simulator.choose import choose
from tpuc.simulator.heads import find_heads
from tpuc.simulator.identity import Identity
from tpuc.simulator.image_kernel import ImageKernel
from tpuc.simulator.machines import Machines
from tpuc.simulator.plain import PlainKernel
from tpuc.simulator.plan import Scratch
from tpuc.simulator.steps import Machine, Sink

__all__ = ["Kernels", "Observe", "Program"]

Observe = Collection[str] | Callable[[str, np.ndarray], None] | str | None

Kernels = dict[int, ImageKernel | PlainKernel | Skip]
"""Packed kernels by the form of their op."""

_NEAR = 20 << 20
"""Bytes of the largest image up to which batches run at once: more slows the memory down."""


class Program:
    """A lowered graph, ready to run.

    Parameters
    ----------
    graph : Graph
        Dialect `tpu`; must not change afterwards.
    threads : int, optional
        Default: the processors this process may use.
    kernels : dict, optional
        Kernels packed before, for programs that share ops; filled further.
    identity : Identity, optional
        What numbers the forms in `kernels`.

    Attributes
    ----------
    fallbacks : dict of str to str
        Ops that run on the numpy reference, and why.
    joined : set of str
        Ops that run together with the heads of attention before them, unless those are observed.
    """

    def __init__(
        self,
        graph: Graph,
        threads: int | None = None,
        kernels: Kernels | None = None,
        identity: Identity | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise DataError(f"threads is {threads}; expected at least 1")
        self.graph = graph
        self.threads = threads or len(os.sched_getaffinity(0))
        self.fallbacks: dict[str, str] = {}
        self._values = {v.name: v for v in graph.values()}
        self._inputs = {v.name: v for v in graph.inputs}
        self._outputs = {v.name for v in graph.outputs}
        self._kernels: dict[str, ImageKernel] = {}
        plain: dict[str, PlainKernel] = {}
        for node in graph.nodes:
            chosen = _choose(node, kernels, identity)
            if isinstance(chosen, ImageKernel):
                self._kernels[node.name] = chosen
            elif isinstance(chosen, PlainKernel):
                plain[node.name] = chosen
            elif node.op not in ("Input", "Cast", "Reshape", "Squeeze", "Unsqueeze"):
                self.fallbacks[node.name] = chosen.reason
        largest = max((_image_bytes(v) for v in self._values.values()), default=1)
        self._share = max(1, _NEAR // max(1, largest))
        heads = find_heads(graph, plain)
        self.joined = set(heads)
        self._machines = Machines(graph, (self._kernels, plain, heads), self.threads)
        self._lock = threading.Lock()

    def twin(self, scratch: Scratch) -> Program:
        """The same program with buffers of its own: it may run while this one runs.

        Its results with four dimensions are channels last in memory.
        """
        other = copy.copy(self)
        other._machines = self._machines.twin(scratch)
        other._lock = threading.Lock()
        return other

    def run(
        self,
        feeds: Mapping[str, np.ndarray],
        observe: Observe = None,
        raw: bool = False,
    ) -> dict[str, np.ndarray]:
        """Run one batch.

        Parameters
        ----------
        feeds : mapping of input name to float32 array
            The first dimension may be any multiple of the graph's own batch.
        observe : names, 'all', or callable (name, array), optional
            Tensors wanted besides the outputs; a callable receives every tensor, in program order,
            and only the outputs are returned.
        raw : bool
            Stored integers instead of real numbers.

        Returns
        -------
        dict of str to ndarray
            Outputs under the graph's output names, and observed tensors, as float32 (dequantized).

        Raises
        ------
        DataError : a feed is missing, unknown, or has the wrong shape; an observed name is unknown
        """
        arrays, factor = self._check_feeds(feeds)
        wanted = self._check_names(observe)
        parts: dict[str, list[np.ndarray]] = {}

        def keep(name: str, array: np.ndarray) -> None:
            shown = array if raw else to_float32(array, self._values[name])
            parts.setdefault(name, []).append(shown)

        def pass_on(name: str, array: np.ndarray) -> None:
            if callable(observe):
                observe(name, array if raw else to_float32(array, self._values[name]))
            if name in self._outputs:
                keep(name, array)

        with self._lock:
            pieces = 1 if callable(observe) else -(-factor // self._share)
            share = -(-factor // max(1, pieces))
            machine = self._machines.of(share)
            if machine is not None and share == factor:
                machine.run(arrays, wanted, pass_on if callable(observe) else keep)
                return {k: v[0] for k, v in parts.items()}
            self._run_apart(arrays, (factor, share if machine else 1), wanted, keep)
        joined = {k: v[0] if factor == 1 else np.concatenate(v) for k, v in parts.items()}
        if not callable(observe):
            return joined
        for name, array in joined.items():
            observe(name, array)
        return {k: v for k, v in joined.items() if k in self._outputs}

    def walk(self, feeds: Mapping[str, np.ndarray], visit: Callable[[Node, Machine], None]) -> None:
        """Run one batch, and call `visit` after each op; only then it may look into the machine.

        Raises
        ------
        DataError : as `run`; or the batch can not run at once
        """
        arrays, factor = self._check_feeds(feeds)
        with self._lock:
            machine = self._machines.of(factor)
            if machine is None:
                raise DataError(f"a batch {factor} times the graph's can not run at once")
            machine.walk(arrays, lambda node: visit(node, machine))

    def widens(self, factor: int) -> bool:
        """Whether a batch `factor` times the graph's own can run at once."""
        with self._lock:
            return self._machines.of(factor) is not None

    def _run_apart(
        self,
        arrays: Mapping[str, np.ndarray],
        shares: tuple[int, int],
        wanted: set[str],
        sink: Sink,
    ) -> None:
        """Run shares[0] batches of the graph's own size, shares[1] at a time."""
        factor, most = shares
        for start in range(0, factor, most):
            count = min(most, factor - start)
            machine = self._machines.of(count)
            assert machine is not None
            part = {
                k: v[start * len(v) // factor : (start + count) * len(v) // factor]
                for k, v in arrays.items()
            }
            machine.run(part, wanted, sink)

    def profile(self, feeds: Mapping[str, np.ndarray], repeats: int = 10) -> dict[str, float]:
        """Shortest time of each op in seconds, over some runs.

        Raises
        ------
        DataError : as `run`; or the batch can not run at once
        """
        arrays, factor = self._check_feeds(feeds)
        clock: dict[str, float] = {}
        with self._lock:
            machine = self._machines.of(factor)
            if machine is None:
                raise DataError(f"a batch {factor} times the graph's can not run at once")
            for _ in range(repeats):
                machine.measure(arrays, clock)
        return clock

    def run_raw(
        self, feeds: Mapping[str, np.ndarray], observe: Observe = None
    ) -> dict[str, np.ndarray]:
        """`run`, with stored integers instead of real numbers."""
        return self.run(feeds, observe, raw=True)

    def _check_names(self, observe: Observe) -> set[str]:
        if observe is None:
            return self._outputs
        if callable(observe) or observe == "all":
            return set(self._values)
        asked = {observe} if isinstance(observe, str) else set(observe)
        for name in sorted(asked - set(self._values)):
            close = difflib.get_close_matches(name, self._values, 1)
            hint = f" Hint: did you mean '{close[0]}'?" if close else ""
            raise DataError(f"the network has no tensor '{name}'.{hint}")
        return asked | self._outputs

    def _check_feeds(self, feeds: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
        inputs = self._inputs
        if set(feeds) != set(inputs):
            raise DataError(f"inputs given: {sorted(feeds)}; expected {sorted(inputs)}")
        arrays: dict[str, np.ndarray] = {}
        factors = set()
        for name, value in inputs.items():
            array = np.asarray(feeds[name], value.dtype.numpy)
            own = value.shape
            fits = array.ndim == len(own) and array.shape[1:] == own[1:]
            if not fits or (own and (array.shape[0] % own[0] or not array.shape[0])):
                raise DataError(
                    f"Input '{name}': shape {array.shape}; expected {own}, or a multiple of "
                    f"{own[0] if own else 1} in the first dimension"
                )
            factors.add(array.shape[0] // own[0] if own else 1)
            arrays[name] = array
        if len(factors) > 1:
            raise DataError(f"inputs have different batches: {sorted(factors)} times the graph's")
        return arrays, factors.pop() if factors else 1


def _image_bytes(value: Value) -> int:
    """Size in the image buffer."""
    return value.size * (1 if value.dtype.bits <= 8 else 4)


def _choose(
    node: Node, kernels: Kernels | None, identity: Identity | None
) -> ImageKernel | PlainKernel | Skip:
    """`choose`, from what was packed before where that is possible."""
    if kernels is None or identity is None:
        return choose(node)
    form = identity.form(node)
    if form not in kernels:
        kernels[form] = choose(node)
    known = kernels[form]
    return (
        replace(known, inputs=tuple(node.activations)) if isinstance(known, ImageKernel) else known
    )
