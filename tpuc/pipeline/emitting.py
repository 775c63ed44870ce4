"""Stage emit: a bmodel, with the chip's instructions where all of a network has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tpuc.errors import ArtifactError, ConfigError, Skip, UnsupportedError
from tpuc.ir import Graph
from tpuc.processors import Processor

__all__ = ["Emitted", "emit_bmodel"]

_MACHINE = {"lanes": 64, "lane_bytes": 262144, "eu_bytes": 64, "cores": 1}


@dataclass(frozen=True)
class Emitted:
    """What became of a bmodel: bytes of instructions, or why it has none."""

    instruction_bytes: int | None = None
    skip: Skip | None = None


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
            return Emitted(len(native.tiu) + len(native.dma))
    write_bmodel(path, graph, chip=processor.chip)
    return Emitted(None, skip)


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
