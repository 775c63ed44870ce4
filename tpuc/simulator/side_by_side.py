"""The float network and a lowered one, op by op on the same batches, all batches together.

    pair = SideBySide(reference, lowered, batches)
    pair.arrive(name);  pair.compare(name, name, 1);  pair.put(lowered with other weights);  ...

What corrections ask for: how far is an op's result from float behind ops that are corrected
already, and how far with other weights. Each op runs once, where its operands lie, and again only
when its weights change. Every batch has buffers of its own and one thread at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import Graph, Value
from tpuc.ir.batch import with_batch
from tpuc.kernels import _calib  # type: ignore[attr-defined]
from tpuc.kernels._float import FloatView
from tpuc.kernels.image import geometry, is_bytes
from tpuc.simulator.track import Track

__all__ = ["Difference", "SideBySide"]

T = TypeVar("T")


@dataclass(frozen=True)
class Difference:
    """Sums over one batch; x: float, y: lowered.

    Parameters
    ----------
    sums : float64 array (samples, 4)
        Of x y, x x, y y and (x - y)**2 over each sample.
    error : float64 array (C,)
        Of x - y over samples and pixels, for each channel.
    count : int
        Numbers of a channel.
    """

    sums: np.ndarray
    error: np.ndarray
    count: int


class SideBySide:
    """Two graphs at the same place of a network.

    Parameters
    ----------
    reference, lowered : Graph
        Dialect `tpu`; the former in F32. They must not change afterwards.
    batches : sequence of dict of input name to float32 array
    threads : int, optional
        Default: the processors this process may use.
    """

    def __init__(
        self,
        reference: Graph,
        lowered: Graph,
        batches: Sequence[Mapping[str, np.ndarray]],
        threads: int | None = None,
    ) -> None:
        threads = threads or len(os.sched_getaffinity(0))
        pieces = _pieces((reference, lowered), batches)
        self._pieces = range(len(pieces))
        workers = max(1, min(threads, len(pieces)))
        self._pool = ThreadPoolExecutor(workers)
        self._real = Track(reference, pieces, threads // workers)
        self._ours = Track(lowered, pieces, threads // workers)

    def arrive(self, name: str) -> None:
        """Run both networks up to op `name` and with it; they never go back."""

        def forward(piece: int) -> None:
            self._real.forward(piece, name)
            self._ours.forward(piece, name)

        self._each(forward)

    def put(self, lowered: Graph) -> None:
        """Go on with a lowered network that has other weights, from the last op that ran on.

        If more differs, or ops before, it runs again up to here.
        """
        self._each(self._ours.put(lowered))

    def compare(self, name: str, twin: str, axis: int) -> list[Difference]:
        """Float tensor `name` and lowered tensor `twin`, results of the last ops that ran.

        Parameters
        ----------
        axis : int
            That of the channels.
        """
        return self._each(lambda piece: self._difference(piece, (name, twin), axis))

    def _difference(self, piece: int, names: tuple[str, str], axis: int) -> Difference:
        real, ours = self._real.machines[piece], self._ours.machines[piece]
        shape = real.value(names[0]).shape
        value = ours.value(names[1])
        views = real.image(names[0]), ours.image(names[1])
        if _comparable(value, axis) and isinstance(views[0], FloatView) and views[1] is not None:
            assert value.quant is not None
            sums, error = _calib.gap(*views, float(np.float32(value.quant.scale)))
            count = int(np.prod(shape)) // shape[axis]
            return Difference(sums, error.sum(axis=0), count)
        arrays = self._real.array(piece, names[0]), self._ours.array(piece, names[1])
        return _plain_difference(*arrays, axis)

    def pairs(self, name: str, twin: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Results or operands of the last ops that ran, as float32 arrays, batch by batch."""
        for piece in self._pieces:
            yield self._real.array(piece, name), self._ours.array(piece, twin)

    def first_outputs(self) -> list[dict[str, np.ndarray]]:
        """Outputs of the lowered network as it was given; to be asked for before anything else."""
        self._each(self._ours.forward)
        found = [dict(results) for results in self._ours.results]
        self._each(self._ours.begin)
        return found

    def outputs(self) -> tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]]:
        """Outputs of both networks, which run to their ends, batch by batch."""
        self._each(self._real.forward)
        self._each(self._ours.forward)
        return self._real.results, self._ours.results

    def _each(self, work: Callable[[int], T]) -> list[T]:
        return list(self._pool.map(work, self._pieces))


def _pieces(
    graphs: Sequence[Graph], batches: Sequence[Mapping[str, np.ndarray]]
) -> list[Mapping[str, np.ndarray]]:
    """The batches, each in as few pieces as the graphs can run at once: one, or single ones."""
    first = graphs[0].inputs[0]
    own = max(1, first.shape[0]) if first.shape else 1
    wide: dict[int, bool] = {}
    found: list[Mapping[str, np.ndarray]] = []
    for batch in batches:
        factor = len(batch[first.name]) // own
        if factor not in wide:
            wide[factor] = not any(isinstance(with_batch(g, factor), Skip) for g in graphs)
        if wide[factor]:
            found.append(batch)
            continue
        for i in range(factor):
            found.append(
                {n: a[i * len(a) // factor : (i + 1) * len(a) // factor] for n, a in batch.items()}
            )
    return found


def _comparable(value: Value, axis: int) -> bool:
    """Whether the kernel sums a tensor of bytes: along its own axis of channels."""
    known = geometry(value.shape)
    rank = len(value.shape)
    return is_bytes(value) and value.quant is not None and known is not None and axis % rank == 1


def _plain_difference(real: np.ndarray, ours: np.ndarray, axis: int) -> Difference:
    x, y = (v.astype(np.float64) for v in (real, ours))
    gap = x - y
    flat = [v.reshape(len(v), -1) for v in (x * y, x * x, y * y, gap * gap)]
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    sums = np.stack([v.sum(axis=1) for v in flat], axis=1)
    return Difference(sums, gap.sum(axis=others), x.size // x.shape[axis])
