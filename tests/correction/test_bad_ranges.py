"""Mobile networks whose weight ranges are bad, one scale a layer: what corrections save."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.correction.spread import spread, without_limits
from tests.correction.stand import Stand, made_pictures
from tpuc.correction import correct_biases, equalize_weights, output_cosine
from tpuc.processors import Processor, load_processor

FACTS = Path(__file__).parents[2] / "conf" / "processor" / "bm1684.yaml"


@pytest.fixture(scope="module")
def one_scale() -> Processor:
    """All weights of a layer have one scale there."""
    return load_processor(yaml.safe_load(FACTS.read_text()))


@pytest.fixture(scope="module")
def pictures():
    return made_pictures(0, 6)


def test_mobilenet_v2_is_lost_without_equalization(golden, one_scale, pictures):
    bad = spread(without_limits(golden("mobilenet_v2")), 1.0)
    equal = equalize_weights(bad).graph
    before, after = (
        Stand(bad, one_scale, pictures),
        Stand(equal, one_scale, pictures),
    )
    plain, even = output_cosine(bad, before.bench()), output_cosine(equal, after.bench())
    biased = correct_biases(equal, after.bench(), 1.0)
    alone = correct_biases(bad, before.bench(), 1.0)
    assert plain < alone.after < even
    assert even > plain + 0.2 and biased.after > even


def test_mobilenet_v3_gains_from_biases(golden, one_scale, pictures):
    graph = golden("mobilenet_v3_small")
    stand = Stand(graph, one_scale, pictures)
    made = correct_biases(graph, stand.bench(), 1.0)
    assert made.after > made.before
    moved = [note for note in made.notes if note.what.startswith("bias moved")]
    assert len(moved) > 20 and all(note.after > note.before for note in moved)
    assert 1 - made.after < 0.8 * (1 - made.before)
