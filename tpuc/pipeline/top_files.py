"""The float network as files of the run folder: Top MLIR and its weights, which TPU-MLIR reads."""

from __future__ import annotations

import os
from pathlib import Path

from tpuc.cache import digest_file
from tpuc.errors import ArtifactError
from tpuc.files import write_whole
from tpuc.ir import Graph
from tpuc.ir.text import print_mlir, save_weights

__all__ = ["make_folder", "write_top"]


def make_folder(folder: Path) -> None:
    """Make the run folder.

    Raises
    ------
    ArtifactError : it can not be made
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"'{folder}': can not be made ({error.strerror}). Hint: hydra.run.dir=FOLDER"
        ) from error


def write_top(folder: Path, name: str, graph: Graph) -> str:
    """Write both, each whole or not at all; their digests: the identity of the graph.

    Raises
    ------
    ArtifactError : the folder can not be written
    """
    weights = folder / f"{name}_top_weights.npz"
    part = weights.with_name(f".{weights.name}.{os.getpid()}.part")
    try:
        save_weights(graph, part)
        part.replace(weights)
    except OSError as error:
        raise ArtifactError(f"'{weights}': can not be written ({error.strerror})") from error
    finally:
        part.unlink(missing_ok=True)
    write_whole(folder / f"{name}.mlir", print_mlir(graph, weights.name))
    return digest_file(folder / f"{name}.mlir") + digest_file(weights)
