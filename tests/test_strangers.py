"""Whatever a stranger's file holds is read, or refused in one line; see `tests/campaigns`."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.campaigns.mutate import mutate
from tests.campaigns.readers import READERS, check
from tpuc.errors import InputError
from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.pipeline.loading import simulation


@pytest.mark.parametrize("name", READERS)
def test_sound_files_are_read(name):
    refused = {check(name, data) for data in READERS[name].sound()}
    assert refused == {None}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(seed=st.integers(0, 2**32), damages=st.integers(1, 3))
def test_damaged_files_are_read_or_refused(name, seed, damages):
    chance, sound = random.Random(seed), READERS[name].sound()
    data = chance.choice(sound)
    for _ in range(damages):
        data = mutate(data, sound, chance)
    check(name, data)


def test_a_program_whose_constants_do_not_fit_is_refused_in_one_line():
    graph = Graph("odd", "tpu")
    x, y = Value("x", (1, 4)), Value("y", (1, 4))
    graph.add("Input", [], [x], with_defaults("Input", {}, "tpu"))
    graph.add("Permute", [x], [y], with_defaults("Permute", {"order": (0, 7)}, "tpu"))
    graph.outputs = [y]
    feed = {"x": np.zeros((1, 4), np.float32)}
    with pytest.raises(InputError, match="'odd.bmodel': its program can not be run") as caught:
        simulation(graph, "odd.bmodel")(feed, None)
    assert "\n" not in str(caught.value)


def test_a_program_whose_table_is_computed_is_refused_in_one_line():
    graph = Graph("odd", "tpu")
    x = Value("x", (1, 4), DType.SI8, QuantType(0.1))
    y = Value("y", (1, 4), DType.UI8, QuantType(1 / 256))
    graph.add("Input", [], [x], with_defaults("Input", {}, "tpu"))
    graph.add("Softmax", [x, x], [y], with_defaults("Softmax", {"axis": 1}, "tpu"))
    graph.outputs = [y]
    with pytest.raises(InputError, match="'odd.bmodel': .*operand 1 is not a weight"):
        simulation(graph, "odd.bmodel")


def test_a_window_beyond_all_memory_is_refused_in_one_line():
    pool = {
        "count_include_pad": True, "do_relu": True, "keepdims": False, "relu_limit": 4,
        "kernel_shape": [-(2**31)], "pads": [2**31 - 1, 0], "strides": [],
        "pool_mode": "", "round_mode": "",
    }  # fmt: skip
    values = [["", [1, 4], "f32", 0, 0], ["x", [1, 4], "f32", 0, 0]]
    nodes = [["Input", [], [0], {}], ["Pool2D", [0], [1], pool]]
    graph = {"attrs": "", "name": "", "nodes": nodes, "outputs": [1], "values": values}
    whole = {"case": 0, "facts": {}, "graph": {**graph, "weights": []}}
    refusal = check("program", json.dumps(whole).encode())
    assert refusal is not None and "window" in refusal
