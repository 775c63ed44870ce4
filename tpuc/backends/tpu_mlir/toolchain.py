"""Finds and runs TPU-MLIR's programs.

TPU-MLIR lives in a Python of its own; it is found by `backend.python` or on PATH, and only ever
started as a program.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tpuc.errors import ArtifactError, ConfigError

__all__ = ["Toolchain", "find_toolchain"]

_PROGRAMS = ("model_deploy", "model_runner")
_COMPLAINT = re.compile(r"\berror:|Error\b|\bERROR\b|Assertion|not support|nsupported", re.ASCII)
_LONGEST = 200
_HOW = (
    "TPU-MLIR is installed into a Python 3.10 of its own: python3.10 -m venv tpu_mlir && "
    "tpu_mlir/bin/pip install 'tpu_mlir[all]', then backend.python=tpu_mlir/bin/python"
)


@dataclass(frozen=True)
class Toolchain:
    """An installed TPU-MLIR.

    Parameters
    ----------
    folder : Path
        That holds `model_deploy` and `model_runner`.
    """

    folder: Path

    def deploy(self, work: Path, options: Sequence[str], log: Path) -> None:
        """Run model_deploy in `work`; what it prints goes to `log`.

        Raises
        ------
        ArtifactError : it failed; the message holds the last line that it printed
        """
        self._run(["model_deploy", *options], work, log)

    def simulate(
        self, bmodel: Path, feeds: Mapping[str, np.ndarray], work: Path, log: Path
    ) -> dict[str, np.ndarray]:
        """Outputs of a bmodel on TPU-MLIR's runtime over its chip simulator, by name.

        Parameters
        ----------
        feeds : mapping of input name to float32 array
            Of the network's own batch.

        Raises
        ------
        ArtifactError : it failed
        """
        source, target = work / "feeds.npz", work / "outputs.npz"
        np.savez(source, allow_pickle=False, **dict(feeds))
        target.unlink(missing_ok=True)
        near = work / bmodel.name  # the runtime unpacks beside the file
        if not near.exists():
            near.symlink_to(bmodel.absolute())
        files = ["--input", str(source), "--model", str(near), "--output", str(target)]
        self._run(["model_runner", *files], work, log)
        with np.load(target, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}

    def _run(self, command: Sequence[str], work: Path, log: Path) -> None:
        path = f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}"
        with log.open("w", encoding="utf-8") as stream:
            done = subprocess.run(
                [str(self.folder / command[0]), *command[1:]],
                cwd=work, env={**os.environ, "PATH": path}, check=False,
                stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
            )  # fmt: skip
        if done.returncode != 0:
            said = _last_words(log.read_text(encoding="utf-8", errors="replace"))
            raise ArtifactError(
                f"TPU-MLIR: {command[0]} ended with status {done.returncode}: {said}. Log: {log}"
            )


def _last_words(text: str) -> str:
    """What a failed program complains of: its compiler's last complaint, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [t for t in lines if _COMPLAINT.search(t) and "[!Error]" not in t]
    told += [a for a, b in zip(lines, lines[1:]) if b.startswith("UNREACHABLE")]
    last = (told or lines or ["it printed nothing"])[-1]
    return last if len(last) <= _LONGEST else f"{last[:_LONGEST]} ..."


def find_toolchain(python: str | None) -> Toolchain:
    """The TPU-MLIR whose Python is given, else the one on PATH.

    Raises
    ------
    ConfigError : there is none; the message says how to install it
    """
    if python is None:
        found = shutil.which(_PROGRAMS[0])
        if found is None:
            raise ConfigError(f"backend=tpu_mlir: no {_PROGRAMS[0]} on PATH. Hint: {_HOW}")
        folder = Path(found).absolute().parent
    else:
        given = Path(python).expanduser().absolute()
        folder = given.parent if given.is_file() else given / "bin"
    for program in _PROGRAMS:
        if not os.access(folder / program, os.X_OK):
            raise ConfigError(f"backend.python: {folder} has no program {program}. Hint: {_HOW}")
    return Toolchain(folder)
