"""Stage emit: a bmodel, with the chip's instructions where all of a network has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tpuc.errors import ArtifactError, ConfigError, Skip, UnsupportedError
from tpuc.ir import Graph
from tpuc.processors import Processor
from tpuc.reports import Timeline, Work

if TYPE_CHECKING:
    from tpuc.backends.bm1684x import Compiled

__all__ = ["Emitted", "emit_bmodel", "predicted_microseconds"]

_MACHINE = {"lanes": 64, "lane_bytes": 262144, "eu_bytes": 64, "cores": 1}


@dataclass(frozen=True)
class Emitted:
    """What became of a bmodel: bytes and time of its instructions, or why it has none."""

    instruction_bytes: int | None = None
    skip: Skip | None = None
    timeline: Timeline | None = None


def emit_bmodel(path: Path, graph: Graph, processor: Processor) -> Emitted:
    """Write a bmodel: always tpuc's own program, and instructions for all ops or for none.

    Raises
    ------
    ConfigError : the processor has instructions of a kind that is not known
    """
    from tpuc.backends.bmodel import write_bmodel

    skip = _why_not(graph, processor)
    if skip is None:
        from tpuc.backends.bm1684x import compile_graph

        try:
            native = compile_graph(graph)
        except (UnsupportedError, ArtifactError) as error:  # too large for memory, or for a field
            skip = Skip(str(error))
        else:
            write_bmodel(path, graph, chip=processor.chip, native=native)
            size = len(native.tiu) + len(native.dma)
            return Emitted(size, None, _timeline(native, processor))
    write_bmodel(path, graph, chip=processor.chip)
    return Emitted(None, skip)


def _timeline(native: Compiled, processor: Processor) -> Timeline:
    from tpuc.backends.bm1684x import cycles_in_all, parts_of

    work = tuple(Work(*part) for part in parts_of(native))
    return Timeline(cycles_in_all(native), processor.clock_mhz, work)


def predicted_microseconds(graph: Graph, processor: Processor) -> float | None:
    """Time of one inference by its instructions and the processor's clock.

    None if it has no instructions, or the clock is not known.
    """
    from tpuc.backends.bm1684x import compile_graph, cycles_in_all

    if processor.clock_mhz <= 0 or _why_not(graph, processor) is not None:
        return None
    try:
        return cycles_in_all(compile_graph(graph)) / processor.clock_mhz
    except (UnsupportedError, ArtifactError):
        return None


def _why_not(graph: Graph, processor: Processor) -> Skip | None:
    if not processor.instructions:
        return Skip(f"tpuc makes no instructions for {processor.name}")
    if processor.instructions != "tiu_dma":
        raise ConfigError(
            f"processor '{processor.name}': instructions is '{processor.instructions}'; "
            "expected tiu_dma, or nothing"
        )
    for fact, expected in _MACHINE.items():
        if getattr(processor, fact) != expected:
            raise ConfigError(
                f"processor '{processor.name}': {fact} is {getattr(processor, fact)}; expected "
                f"{expected} for instructions tiu_dma. Hint: leave out instructions"
            )
    from tpuc.backends.bm1684x import why_not

    return why_not(graph)
