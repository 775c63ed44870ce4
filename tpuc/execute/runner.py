"""Runs a Graph[top] in float32 with torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch

from tpuc.errors import DataError, Skip
from tpuc.execute.kernels import KERNELS
from tpuc.ir import Graph, Node, verify
from tpuc.ir.batch import with_batch

__all__ = ["FloatRunner", "run"]

Observe = Callable[[str, np.ndarray], None] | Collection[str] | None


class FloatRunner:
    """Executes a graph on batches, op by op.

    Parameters
    ----------
    graph : Graph
        Dialect `top`. Weights are converted once.
    threads : int, optional
        Threads of torch; its own default if not given.

    Notes
    -----
    An activation is freed as soon as its last user ran, so memory does not grow with the number of
    samples. A batch that is a multiple of the graph's own runs at once where no op mixes samples
    (`tpuc.ir.batch`), else sample by sample.
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        self.graph = verify(graph, "top")
        self.threads = threads
        self._weights = {
            id(v): _by_pixel(torch.from_numpy(np.array(v.data, np.float32)))
            for v in graph.weights()
        }
        self._by_name = {v.name: self._weights[id(v)] for v in graph.weights()}
        self._wide: dict[int, Graph | Skip] = {1: graph}

    def _graph(self, factor: int) -> Graph | Skip:
        if factor not in self._wide:
            self._wide[factor] = with_batch(self.graph, factor)
        return self._wide[factor]

    def run(
        self, feeds: Mapping[str, np.ndarray], observe: Observe = None
    ) -> dict[str, np.ndarray]:
        """Run one batch.

        Parameters
        ----------
        feeds : mapping of input name to float32 array
            Shape of the graph's input, or a multiple of it along the first axis.
        observe : callable or collection of names, optional
            Called with (name, array) of every op output in program order (pictures may be strided,
            with channels innermost in memory); or names whose arrays are
            returned along with the outputs.

        Raises
        ------
        DataError : an input is missing, unknown, or has another shape
        """
        factor = self._factor(feeds)
        graph = self._graph(factor)
        if isinstance(graph, Skip):
            parts = [self._slice(feeds, i, factor) for i in range(factor)]
            results = [self._run(self.graph, p, observe) for p in parts]
            return {k: np.concatenate([r[k] for r in results]) for k in results[0]}
        return self._run(graph, feeds, observe)

    def _slice(
        self, feeds: Mapping[str, np.ndarray], index: int, factor: int
    ) -> dict[str, np.ndarray]:
        return {k: np.split(np.asarray(v), factor)[index] for k, v in feeds.items()}

    def _factor(self, feeds: Mapping[str, np.ndarray]) -> int:
        inputs = {v.name: v.shape for v in self.graph.inputs}
        unknown = sorted(set(feeds) - set(inputs))
        missing = sorted(set(inputs) - set(feeds))
        if unknown or missing:
            raise DataError(
                f"inputs: missing {missing}, unknown {unknown}; expected {sorted(inputs)}"
            )
        factors = set()
        for name, shape in inputs.items():
            given = np.shape(feeds[name])
            fits = len(given) == len(shape) and given[1:] == shape[1:] and given[0] % shape[0] == 0
            if not fits or not given[0]:
                raise DataError(f"input '{name}': shape {given}; expected {shape}")
            factors.add(given[0] // shape[0])
        if len(factors) > 1:
            raise DataError(f"inputs have different numbers of samples: {sorted(factors)}")
        return factors.pop()

    def _run(
        self,
        graph: Graph,
        feeds: Mapping[str, np.ndarray],
        observe: Observe,
    ) -> dict[str, np.ndarray]:
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        wanted = {v.name for v in graph.outputs}
        if observe is not None and not callable(observe):
            wanted |= set(observe)
        left = {id(v): len(v.uses) for v in graph.values()}
        live: dict[int, torch.Tensor] = {}
        results: dict[str, np.ndarray] = {}
        with torch.inference_mode():
            for node in graph.nodes:
                for value, tensor in zip(node.outputs, self._outputs(node, feeds, live)):
                    live[id(value)] = tensor
                    if callable(observe):
                        observe(value.name, tensor.numpy())
                    if value.name in wanted:
                        results[value.name] = tensor.contiguous().numpy()
                self._release(node, left, live)
        return results

    def _outputs(
        self, node: Node, feeds: Mapping[str, np.ndarray], live: Mapping[int, torch.Tensor]
    ) -> list[torch.Tensor]:
        if node.op == "Input":
            array = np.ascontiguousarray(feeds[node.name], np.float32)
            if not array.flags.writeable:
                array = array.copy()
            return [_by_pixel(torch.from_numpy(array))]
        operands: list[Any] = []
        for value in node.inputs:
            if value is None:
                operands.append(None)
            else:
                known = live.get(id(value))
                operands.append(self._by_name[value.name] if known is None else known)
        made = KERNELS[node.op](node, *operands)
        outs = made if isinstance(made, list) else [made]
        outs = _relu(node, outs)
        return outs[: len(node.outputs)]

    @staticmethod
    def _release(node: Node, left: dict[int, int], live: dict[int, torch.Tensor]) -> None:
        for value in node.inputs:
            if value is not None and id(value) in left:
                left[id(value)] -= 1
                if left[id(value)] == 0:
                    live.pop(id(value), None)
        for value in node.outputs:
            if left[id(value)] == 0:
                live.pop(id(value), None)


def _by_pixel(tensor: torch.Tensor) -> torch.Tensor:
    """Four-dimensional tensors with channels innermost in memory: convolutions run faster so."""
    if tensor.dim() != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


def _relu(node: Node, outs: list[torch.Tensor]) -> list[torch.Tensor]:
    if not node.attrs.get("do_relu"):
        return outs
    limit = node.number("relu_limit")
    return [o.clamp_(0.0, limit) if limit > 0 else o.relu_() for o in outs]  # fresh tensors


def run(
    graph: Graph, feeds: Mapping[str, np.ndarray], observe: Observe = None
) -> dict[str, np.ndarray]:
    """Run a graph once."""
    return FloatRunner(graph).run(feeds, observe)
