from __future__ import annotations

import pytest

from tpuc.reports.summary import summary

_SEARCH = {
    "method": "qtable",
    "samples": 30,
    "before": 0.994,
    "after": 0.9985,
    "goal": 0.998,
    "scores": [["0", 0.994]],
    "stopped": "",
    "low": "quantized",
    "high": "float",
    "chosen": ["a", "b"],
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "every op quantized 0.99400, 2 ops float 0.99850; goal 0.998"),
        ({"chosen": ["a"], "high": "INT8", "low": "INT4"}, "every op INT4 0.99400, 1 op INT8"),
        ({"chosen": []}, "every op quantized 0.99400; no op made float; goal 0.998"),
        ({"stopped": "search.max_trials=3 reached"}, "; search.max_trials=3 reached"),
        (
            {"method": "threshold", "scores": [["kl", 0.99], ["max", 0.9985]]},
            "max is best of kl 0.99000, max 0.99850",
        ),
    ],
)
def test_a_search_says_what_it_found(changes, said):
    (line,) = summary({"search": _SEARCH | changes})
    assert said in line and "30 samples that only choose" in line


def test_what_a_build_has_not_gives_no_line():
    assert summary({}) == []
    assert (
        summary({"search": {"method": "none"}, "correction": None, "task": None, "accuracy": {}})
        == []
    )


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "smoothquant: found nothing in this network that it applies to"),
        ([{}, {}], "smoothquant: 2 layers; what it bought was not measured"),
    ],
)
def test_a_correction_without_figures_says_why(layers, said):
    step = {"name": "smoothquant", "before": 0.0, "after": 0.0, "samples": 9, "layers": layers}
    assert summary({"correction": {"steps": [step], "chosen": ""}}) == [said]


def test_corrections_and_cost_are_figures():
    layers = [
        {"name": f"conv{i}", "before": 0.9, "after": 0.9 + i / 100, "what": f"{i} % otherwise"}
        for i in range(5)
    ]
    step = {"name": "adaround", "before": 0.98, "after": 0.99, "samples": 50, "layers": layers}
    report = {
        "correction": {"steps": [step], "chosen": "mse, adaround", "trials": [["mse", 0.98]]},
        "cost": {"weight_bytes": 1 << 20, "float_weight_bytes": 1 << 22, "estimated_ms": 0.1234},
    }
    assert summary(report) == [
        "adaround: 0.98000 to 0.99000 on the 50 samples it learned from, 5 layers",
        "  conv4: 0.90000 to 0.94000, 4 % otherwise",
        "  conv3: 0.90000 to 0.93000, 3 % otherwise",
        "  conv2: 0.90000 to 0.92000, 2 % otherwise",
        "  and 2 more layers, see report.html",
        "correction.auto keeps mse, adaround of 1 trials",
        "weights 1.00 MiB (4.00 MiB in float), 0.123 ms on the chip (predicted)",
    ]
