"""The files of conf/processor: one for each processor of the manual, complete, with sources."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tpuc.errors import ConfigError
from tpuc.processors import load_processor

FOLDER = Path(__file__).parents[2] / "conf" / "processor"
NAMES = "bm1690 bm1688 bm1684x bm1684 cv186x cv183x cv182x cv181x cv180x".split()
WEIGHT_ONLY = {"W8F16", "W8BF16", "W4F16", "W4BF16"}
MODES = {"F8E4M3", "F8E5M2", "INT8", "INT4", "F32", "F16", "BF16", *WEIGHT_ONLY}


def facts(name: str) -> dict:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


def test_every_processor_of_the_manual_has_a_file() -> None:
    assert sorted(p.stem for p in FOLDER.glob("*.yaml")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_facts_are_complete_and_agree(name: str) -> None:
    processor = load_processor(facts(name))
    assert processor.name == name
    assert processor.chip == name.upper()
    assert set(processor.modes) <= MODES
    assert set(processor.built) <= set(processor.modes)
    assert processor.float_type in processor.modes
    assert processor.requant in {"multiplier_shift", "shift_only", "qdm"}
    assert processor.lanes > 0
    assert processor.lane_bytes > 0
    assert processor.eu_bytes > 0
    assert processor.cores > 0
    assert processor.sources


@pytest.mark.parametrize("name", NAMES)
def test_a_mode_is_built_or_refused_in_one_line(name: str) -> None:
    processor = load_processor(facts(name))
    for mode in sorted(MODES):
        if mode in processor.built:
            processor.require(mode)
            continue
        with pytest.raises(ConfigError) as caught:
            processor.require(mode)
        text = str(caught.value)
        assert name in text
        assert mode in text
        assert "\n" not in text


@pytest.mark.parametrize("name", ["cv183x", "cv181x"])
def test_what_counts_cycles_names_the_facts_that_are_not_known(name: str) -> None:
    processor = load_processor(facts(name))
    with pytest.raises(ConfigError) as caught:
        processor.require_peaks("search.method: pareto", ("INT8", "BF16"))
    known = name == "cv181x"
    assert ("++processor.int8_tops=NUMBER" in str(caught.value)) != known
    assert "++processor.f16_tops=NUMBER ++processor.dram_gbps=NUMBER" in str(caught.value)
    load_processor(facts("bm1684x")).require_peaks("search", ("INT8", "F16", "F32"))


def test_an_unknown_or_a_missing_fact_is_named() -> None:
    known = facts("bm1684x")
    with pytest.raises(ConfigError, match="'sockets'"):
        load_processor({**known, "sockets": 2})
    del known["float_type"]
    with pytest.raises(ConfigError, match="float_type"):
        load_processor(known)
