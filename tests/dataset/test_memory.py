"""Samples are read once while there is room for them."""

from __future__ import annotations

import numpy as np

from tpuc.dataset.memory import Memory


def test_what_fits_is_read_once_and_the_rest_each_time():
    asked: list[str] = []
    memory: Memory[str] = Memory(room=100)

    def read(name: str, count: int) -> np.ndarray:
        def made() -> dict[str, np.ndarray]:
            asked.append(name)
            return {"x": np.full(count, len(asked), np.uint8)}

        return memory.get(name, made)["x"]

    first = read("a", 60)
    assert read("b", 60)[0] == 2
    assert read("c", 40)[0] == 3
    np.testing.assert_array_equal(read("a", 60), first)
    assert read("b", 60)[0] == 4
    assert read("c", 40)[0] == 3
    assert asked == ["a", "b", "c", "b"]


def test_other_keys_in_a_dict_of_the_caller_change_nothing():
    memory: Memory[str] = Memory()
    memory.get("a", lambda: {"x": np.zeros(1, np.uint8)})["y"] = np.ones(1, np.uint8)
    assert list(memory.get("a", dict)) == ["x"]
    memory.get("a", dict).clear()
    assert list(memory.get("a", dict)) == ["x"]
