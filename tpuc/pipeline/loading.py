"""A bmodel that runs: the container's program behind the simulator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tpuc.backends.bmodel import Execute, LoadedModel, read_bmodel
from tpuc.errors import ArtifactError, GraphError
from tpuc.ir import Graph

__all__ = ["load", "simulation"]

_UNFIT = (
    *(ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError),
    GraphError,
)
"""What numpy, torch, Python and kernels raise when constants do not fit."""


def load(path: str | Path, threads: int = 0) -> LoadedModel:
    """Open a bmodel that tpuc wrote.

    >>> tpuc.load("net.bmodel").run({"input": x})

    Raises
    ------
    ArtifactError : the file is damaged, or carries no program of tpuc's
    """
    bmodel = read_bmodel(Path(path))
    return LoadedModel(bmodel, simulation(bmodel.graph, str(path), threads))


def simulation(graph: Graph, where: str, threads: int = 0) -> Execute:
    """What runs a graph that was read from a file.

    Its shapes and types are known to fit; that its constants do (tables, factors, attributes) shows
    only when it runs, and is not taken for granted.

    Raises
    ------
    ArtifactError : the graph can not be run; also when the result is called
    """
    from tpuc.simulator import Program

    with _constants_of(where):
        program = Program(graph, threads or None)

    def execute(
        feeds: Mapping[str, np.ndarray], observe: Collection[str] | str | None
    ) -> Mapping[str, np.ndarray]:
        with _constants_of(where):
            return program.run(feeds, observe=observe or None, raw=True)

    return execute


@contextmanager
def _constants_of(where: str) -> Iterator[None]:
    try:
        yield
    except _UNFIT as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ArtifactError(f"'{where}': its program can not be run ({reason})") from error
