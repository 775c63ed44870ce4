"""What a runtime would take in silence and compute wrong, or hang on, is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

import tpuc.backends.bm1684x.compile as compiling
from tests.backends.bm1684x.cases import CASES, together
from tpuc.backends.bm1684x import compile_graph, tiu, why_not
from tpuc.backends.bm1684x.command import S8, Command, Local
from tpuc.backends.bm1684x.emitter import NoRoom
from tpuc.backends.bm1684x.encode import MOST_COMMANDS, encode_stream
from tpuc.backends.bmodel import write_bmodel
from tpuc.errors import ArtifactError, UnsupportedError


def test_strides_that_matter_have_to_fit() -> None:
    """One sample has no stride; channels that lie too far apart find no room instead."""
    place = Local(0, (1, 64, 320, 320), S8)
    assert tiu.strides_of("r", place, place.shape) == {
        "r_nstr": 0, "r_cstr": 0, "r_hstr": 320, "r_wstr": 1,
    }  # fmt: skip
    with pytest.raises(NoRoom, match="102400 numbers apart; expected 65535"):
        tiu.strides_of("r", Local(0, (1, 65, 320, 320), S8), (1, 65, 4, 4))


class _Many(Sequence[Command]):
    """More commands than serial numbers can count, without the memory."""

    def __len__(self) -> int:
        return MOST_COMMANDS + 1

    def __getitem__(self, index):  # noqa: D105
        return Command("conv", {})


def test_more_commands_than_can_be_counted_are_refused() -> None:
    with pytest.raises(ArtifactError, match="1048575 commands; expected at most 1048574"):
        encode_stream(_Many(), (), "tiu")


@pytest.mark.parametrize(
    "change",
    [
        {"counts": (0, 3)},
        {"counts": (3, 1 << 20)},
        {"tiu": b""},
        {"dma": bytes(100)},
    ],
)
def test_counts_and_sizes_are_held_against_each_other(tmp_path, change) -> None:
    graph = together(["add"])
    native = compile_graph(graph)
    write_bmodel(tmp_path / "good.bmodel", graph, chip="BM1684X", native=native)
    with pytest.raises(ArtifactError, match="bmodel: .*expected"):
        write_bmodel(
            tmp_path / "bad.bmodel", graph, chip="BM1684X", native=replace(native, **change)
        )
    assert not (tmp_path / "bad.bmodel").exists()


@pytest.mark.parametrize("chip", ["", "bm1684x", "BM1684X "])
def test_a_chip_that_the_runtime_would_not_know_is_refused(tmp_path, chip: str) -> None:
    graph = together(["add"])
    with pytest.raises(ArtifactError, match="chip is '.*'; expected its name"):
        write_bmodel(tmp_path / "bad.bmodel", graph, chip=chip, native=compile_graph(graph))


@pytest.mark.parametrize("key", ["strides", "pads", "dilations"])
def test_what_four_bits_can_not_say_is_named(key: str) -> None:
    graph = CASES["conv 3x3, two rows of channels"]()
    node = next(n for n in graph.nodes if n.op == "Conv2D")
    node.attrs[key] = tuple(16 if key != "dilations" else 17 for _ in node.ints(key))
    skip = why_not(graph)
    assert skip is not None and f"{key} [1" in skip.reason and "do not fit 4 bits" in skip.reason


def test_more_weights_than_the_segment_holds_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(compiling, "_MOST_WEIGHTS", 4096)
    with pytest.raises(UnsupportedError, match="expected less than 4096"):
        compile_graph(CASES["conv in tiles of channels"]())
