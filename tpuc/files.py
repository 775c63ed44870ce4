"""Writes files whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tpuc.errors import ArtifactError

__all__ = ["locked", "write_whole"]


def write_whole(path: str | Path, content: str | bytes | Iterable[bytes]) -> None:
    """Write a file under a temporary name beside it, then move it into place.

    A reader sees the old file or the new one, never a part; a failure or Ctrl-C leaves no trace.
    Missing folders are made.

    Raises
    ------
    ArtifactError : the folder is read-only, the disk is full, or the system refuses otherwise
    """
    path = Path(path)
    if isinstance(content, str):
        content = content.encode()
    chunks = [content] if isinstance(content, bytes) else content
    part = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ArtifactError(
            f"'{path}': can not be written ({reason}). Hint: choose a folder with hydra.run.dir"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that one process at a time can have; it ends with the process, however that ends.

    Where the file system knows no locks, nobody waits: use it to spare work, not to guard data.

    Raises
    ------
    OSError : the lock file can not be made
    """
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # who waits for it then works beside a newcomer
