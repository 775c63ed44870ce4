"""A bmodel that runs: the container's program behind the simulator."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from tpuc.backends.bmodel import LoadedModel, read_bmodel

__all__ = ["load"]


def load(path: str | Path, threads: int = 0) -> LoadedModel:
    """Open a bmodel that tpuc wrote.

    >>> tpuc.load("net.bmodel").run({"input": x})

    Raises
    ------
    ArtifactError : the file is damaged, or carries no program of tpuc's
    """
    from tpuc.simulator import Program

    bmodel = read_bmodel(Path(path))
    program = Program(bmodel.graph, threads or None)

    def execute(
        feeds: Mapping[str, np.ndarray], observe: Collection[str] | str | None
    ) -> Mapping[str, np.ndarray]:
        return program.run(feeds, observe=observe or None, raw=True)

    return LoadedModel(bmodel, execute)
