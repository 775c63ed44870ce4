"""The network's task as the report tells it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

__all__ = ["TaskPicture", "TaskView"]


@dataclass(frozen=True)
class TaskPicture:
    """A JPEG file of the run folder."""

    name: str
    data: bytes

    @property
    def address(self) -> str:
        """The picture itself, as the page embeds it."""
        return f"data:image/jpeg;base64,{b64encode(self.data).decode()}"


@dataclass(frozen=True)
class TaskView:
    """Figures of every build over the same samples.

    Parameters
    ----------
    figures : tuple of (build, ((figure, value), ...))
        `float` first, the build of this run last.
    file : str
        The csv file of the run folder.
    """

    task: str
    samples: int
    figures: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    file: str
    pictures: tuple[TaskPicture, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the figures."""
        return tuple(name for name, _ in self.figures[0][1]) if self.figures else ()
