"""Buffers: images that are alive together never overlap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tpuc.simulator.plan import Life, place

lives = st.lists(
    st.builds(
        lambda first, length, size: Life(first, first + length, size),
        st.integers(0, 20),
        st.integers(0, 8),
        st.integers(1, 5000),
    ),
    max_size=25,
).map(lambda found: {f"v{i}": life for i, life in enumerate(found)})


@given(lives)
def test_images_alive_together_do_not_overlap(found: dict[str, Life]) -> None:
    offsets, total = place(found)
    for name, life in found.items():
        assert offsets[name] % 64 == 0
        assert offsets[name] + life.size <= total
        for other, theirs in found.items():
            if other == name or theirs.last < life.first or life.last < theirs.first:
                continue
            before, after = sorted([(offsets[name], life.size), (offsets[other], theirs.size)])
            assert before[0] + before[1] <= after[0]


def test_a_chain_needs_room_for_two() -> None:
    chain = {f"v{i}": Life(i, i + 1, 640) for i in range(10)}
    assert place(chain)[1] == 2 * 640


def test_nothing_to_place() -> None:
    assert place({}) == ({}, 0)
