"""Builds with corrections, from the command line to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.correction.spread import spread, without_limits
from tests.golden import transformers
from tests.test_cli import tpuc
from tpuc.calibration import table as table_text
from tpuc.ir.text import print_mlir, save_weights
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import lower


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("corrections")


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def test_auto_keeps_the_best_tells_of_all_and_is_cached(home, bm1684x):
    for run in ("first", "second"):
        done = tpuc("recipe=digits", "correction=auto", f"hydra.run.dir={run}", cwd=home)
        assert done.returncode == 0, done.stderr
    said = (done.stdout + done.stderr).splitlines()
    assert "(cached)" in next(t for t in said if t.startswith("correct"))
    report = report_of(home / "first")
    found = report["correction"]
    scores = dict(map(tuple, found["trials"]))
    assert found["chosen"] == max(scores, key=scores.__getitem__)
    assert len(scores) == 11 and found["judges"] == 20
    assert any(name.startswith("weight_equalization + ") for name in scores)
    assert all(step["layers"] for step in found["steps"])
    assert "What corrections did" in (home / "first/report.html").read_text()
    for name in ("digits_bm1684x_int8.bmodel", "digits_cali_table", "digits_top_weights.npz"):
        assert (home / "first" / name).read_bytes() == (home / "second" / name).read_bytes()


def test_what_is_written_lowers_to_what_was_learned(home, bm1684x):
    for threads in (1, 2):
        done = tpuc(
            "recipe=digits", "correction=adaround", f"hydra.run.dir=t{threads}",
            f"threads={threads}", cwd=home, cache=home / f"cache{threads}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    name = "digits_bm1684x_int8.bmodel"
    assert (home / "t1" / name).read_bytes() == (home / "t2" / name).read_bytes()
    plain = tpuc("recipe=digits", "hydra.run.dir=plain", cwd=home)
    assert plain.returncode == 0, plain.stderr
    lowered = [
        lower(
            load_mlir(home / run / "digits.mlir"),
            table_text.read(home / run / "digits_cali_table"),
            bm1684x,
        ).graph
        for run in ("t1", "plain")
    ]
    pairs = [
        (a.data, b.data) for a, b in zip(*(g.weights() for g in lowered)) if "filter" in a.name
    ]
    apart = [np.abs(a.astype(int) - b) for a, b in pairs]
    assert max(d.max() for d in apart) == 1 and sum(np.count_nonzero(d) for d in apart) > 20
    report = report_of(home / "t1")["correction"]
    assert [s["name"] for s in report["steps"]] == ["adaround"] and not report["chosen"]
    assert report["steps"][0]["after"] > report["steps"][0]["before"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["correction=adaround", "quantize=f16"], "no integer weights"),
        (["correction=adaround", "quantize=int4", "processor=bm1688"], "for 8 bits alone"),
        (["correction.min_layer_cos=nan"], "expected 0 to 1"),
        (["correction.bc_inference_num=-3"], "expected at least 1"),
        (["correction.bias_correction=maybe"], "not a valid bool"),
        (["correction=auto", "correction.adaround=true"], "has no meaning with correction.auto"),
        (["correction.min_layer_cos=1.5"], "expected 0 to 1"),
        (["correction.adaround_num=0"], "at least 1"),
        (["correction=auto", "correction.adaround_num=5000"], "correction.adaround_num="),
        (["correction=adaroun"], "adaround"),
        (["correction.weight_equalization=2"], "2 is neither true nor false"),
    ],
)
def test_what_can_not_be_corrected_is_refused_before_any_work(home, keys, said):
    done = tpuc("recipe=digits", *keys, "stop_after=check", cwd=home)
    assert done.returncode == 2
    assert said in done.stderr


def test_biases_of_4_bit_layers_are_corrected(home):
    done = tpuc(
        "recipe=digits", "quantize=int4", "processor=bm1688", "correction=bias_correction",
        "correction.min_layer_cos=1", "hydra.run.dir=four_bits", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (step,) = report_of(home / "four_bits")["correction"]["steps"]
    assert step["after"] - step["before"] > 0.01
    assert all(0 < row["before"] <= row["after"] for row in step["layers"])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            ["correction=bias_correction", "correction.bc_inference_num=9999"],
            "bc_inference_num: 9999 samples asked, 100 there; all of them are used",
        ),
        (
            ["correction=adaround", "correction.min_layer_cos=0.9"],
            "min_layer_cos: has no effect without correction.bias_correction",
        ),
    ],
)
def test_what_is_asked_for_in_vain_is_told(home, keys, said):
    done = tpuc("recipe=digits", *keys, "stop_after=check", "hydra.run.dir=vain", cwd=home)
    assert done.returncode == 0 and said in done.stderr


def test_weight_equalization_is_told_layer_by_layer(home):
    done = tpuc(
        "recipe=digits", "correction=weight_equalization", "correction.bias_correction=true",
        "hydra.run.dir=equalized", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    steps = report_of(home / "equalized")["correction"]["steps"]
    assert [step["name"] for step in steps] == ["weight_equalization", "bias_correction"]
    rows = [row for row in steps[0]["layers"] if "channel range" in row["what"]]
    assert rows and all(0.9 < row["before"] < 1 and 0.9 < row["after"] < 1 for row in rows)
    assert any("the limit of 6" in row["what"] for row in rows)  # all of them are Relu6
    assert 0.9 < steps[0]["before"] < 1 and 0.9 < steps[0]["after"] < 1
    refused = tpuc("recipe=digits", "correction=weight_equalization", "quantize=f16", cwd=home)
    assert refused.returncode == 2 and "no integer weights" in refused.stderr


def test_corrections_before_calibration_go_together_and_with_a_search(home):
    done = tpuc(
        "recipe=digits", "correction.softmax_correction=true", "correction.smoothquant=true",
        "correction.weight_equalization=true", "correction.bias_correction=true",
        "correction.bc_inference_num=4", "search=qtable", "search.inference_num=4",
        "hydra.run.dir=together", cwd=home,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    names = [step["name"] for step in report_of(home / "together")["correction"]["steps"]]
    assert names == ["smoothquant", "weight_equalization", "softmax_correction", "bias_correction"]


def test_attention_is_scaled_in_a_searched_build(home):
    transformers.onnx_file("vit", home)
    (home / "samples").mkdir()
    for index in range(6):
        np.savez(home / "samples" / f"{index}.npz", **transformers.sample("vit", index))
    done = tpuc(
        "recipe=custom", "model.path=vit.onnx", "dataset.path=samples", "search=qtable",
        "correction=softmax_correction", "calibration.input_num=4", "search.inference_num=2",
        "search.max_float_layers=2", "hydra.run.dir=attention", cwd=home,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    (step,) = report_of(home / "attention")["correction"]["steps"]
    assert [row["what"][:4] for row in step["layers"]] == ["mean", "mean"]
    for name in ("vit_cali_table", "new_cali_table.txt"):
        found = table_text.read(home / "attention" / name).ranges
        scaled = [r for n, r in found.items() if n.endswith("_Smc_Inv_Mul")]
        assert [r.threshold for r in scaled] == [1.0, 1.0]


def spread_network(run: Path, to: Path) -> None:
    """A network whose channels were scaled apart."""
    graph = spread(without_limits(load_mlir(run / "digits.mlir")), 2.0)
    save_weights(graph, to / "spread_weights.npz")
    (to / "spread.mlir").write_text(print_mlir(graph, "spread_weights.npz"))


@pytest.fixture(scope="module")
def spread_recipe(home):
    done = tpuc("recipe=digits", "stop_after=import", "hydra.run.dir=import", cwd=home)
    assert done.returncode == 0, done.stderr
    spread_network(home / "import", home)
    return ["recipe=custom", "dataset=digits", "model.path=spread.mlir", "processor=bm1684"]


def test_auto_sees_that_equalization_helps(home, spread_recipe):
    for run in ("evened", "again"):
        done = tpuc(
            *spread_recipe, "correction=auto", "correction.adaround_num=20", f"hydra.run.dir={run}",
            cwd=home,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    said = (done.stdout + done.stderr).splitlines()
    assert "(cached)" in next(t for t in said if t.startswith("correct"))
    found = report_of(home / "evened")
    scores = dict(map(tuple, found["correction"]["trials"]))
    plain = max(score for name, score in scores.items() if "+" not in name)
    assert plain < 0.99 and found["correction"]["chosen"].startswith("weight_equalization + ")
    assert found["accuracy"]["output_cos_mean"] > plain + 0.01
    first = found["correction"]["steps"][0]
    assert first["name"] == "weight_equalization" and first["after"] > first["before"] + 0.01
    for name in ("spread.mlir", "spread_bm1684_int8.bmodel", "spread_cali_table"):
        assert (home / "evened" / name).read_bytes() == (home / "again" / name).read_bytes()


def test_auto_rewrites_the_network_before_a_search(home, spread_recipe):
    keys = (
        *spread_recipe, "correction=auto", "search=threshold", "search.inference_num=8",
        "correction.bc_inference_num=8", "correction.adaround_num=8", "search.expected_cos=0.9",
    )  # fmt: skip
    for run in ("searched", "searched again"):
        done = tpuc(*keys, f"hydra.run.dir={run}", cwd=home)
        assert done.returncode in (0, 3), done.stderr
    said = (done.stdout + done.stderr).splitlines()
    stages = [t.split()[0] for t in said if t.endswith("(cached)")]
    assert stages.count("correct") == 2 and stages.index("correct") < stages.index("search")
    found = report_of(home / "searched")["correction"]
    assert found["searched"].startswith("weight_equalization + ")
    assert found["steps"][0]["name"] == "weight_equalization"
    scores = dict(map(tuple, found["trials"]))
    plain = max(score for name, score in scores.items() if "+" not in name and "search" not in name)
    assert scores[found["chosen"]] >= max(scores.values()) - 1e-12 > plain + 0.01
    assert "for the search" in (home / "searched/report.html").read_text()
    name = "spread_bm1684_int8.bmodel"
    assert (home / "searched" / name).read_bytes() == (home / "searched again" / name).read_bytes()


def test_thresholds_of_a_file_say_what_they_keep_from_being_tried(home):
    done = tpuc("recipe=digits", "hydra.run.dir=tables", "stop_after=calibrate", cwd=home)
    assert done.returncode == 0, done.stderr
    keys = ("recipe=digits", "calibration=from_file", "calibration.table=tables/digits_cali_table")
    said = []
    for correction in ("auto", "weight_equalization"):
        done = tpuc(
            *keys, f"correction={correction}", f"hydra.run.dir=given_{correction}", cwd=home
        )
        assert done.returncode == 0, done.stderr
        report = report_of(home / f"given_{correction}")
        said.append((home / f"given_{correction}/report.html").read_text())
        assert [t[0] for t in report["correction"]["trials"]][:1] in (["kl"], [])
    assert "smoothquant, weight_equalization, softmax_correction</b>: not tried" in said[0]
    assert "weight_equalization: thresholds of calibration.table</b>: taken as those" in said[1]


def test_auto_sees_that_smoothquant_and_softmax_correction_hurt(home):
    transformers.onnx_file("vit", home)
    folder = home / "pictures"
    folder.mkdir()
    for index in range(24):
        np.savez(folder / f"{index:02}.npz", **transformers.sample("vit", index))
    done = tpuc(
        "recipe=custom", "model.path=vit.onnx", "dataset.path=pictures", "correction=auto",
        "calibration.input_num=12", "correction.adaround_num=4", "correction.bc_inference_num=4",
        "correction.auto_num=12", "hydra.run.dir=hurt", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = report_of(home / "hurt")["correction"]
    scores = dict(map(tuple, found["trials"]))

    def best(start: str) -> float:
        return max(score for name, score in scores.items() if name.startswith(start))

    plain = max(score for name, score in scores.items() if "+" not in name)
    for name in ("smoothquant + ", "softmax_correction + "):
        assert best(name) < plain and not found["chosen"].startswith(name)


def test_all_corrections_go_together_with_every_threshold_method(home):
    methods = "kl,mse,max,percentile9999,aciq_gauss,aciq_laplace,torch_observer"
    on = ("smoothquant", "weight_equalization", "softmax_correction", "bias_correction", "adaround")
    done = tpuc(
        "-m", "recipe=digits", f"calibration={methods}", *(f"correction.{k}=true" for k in on),
        "correction.adaround_num=8", "correction.bc_inference_num=4", "report.html=false",
        "hydra.sweep.dir=every", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    runs = sorted(p.parent for p in (home / "every").glob("*/report.json"))
    assert len(runs) == 7
    for run in runs:
        steps = report_of(run)["correction"]["steps"]
        assert {s["name"] for s in steps} == set(on)
        assert all(s["after"] >= s["before"] for s in steps if s["name"] in on[3:])
        assert report_of(run)["accuracy"]["output_cos_mean"] > 0.99


def test_corrections_before_calibration_are_cached(home):
    keys = ("recipe=digits", "correction=weight_equalization", "correction.smoothquant=true")
    for run in ("fresh", "known"):
        done = tpuc(*keys, f"hydra.run.dir={run}", cwd=home)
        assert done.returncode == 0, done.stderr
    said = (done.stdout + done.stderr).splitlines()
    assert "(cached)" in next(t for t in said if t.startswith("rewrite"))
    one, other = (report_of(home / run)["correction"] for run in ("fresh", "known"))
    assert one == other


def test_smoothquant_without_a_place_says_so(home):
    done = tpuc("recipe=digits", "correction=smoothquant", "hydra.run.dir=smooth", cwd=home)
    assert done.returncode == 0, done.stderr
    (step,) = report_of(home / "smooth")["correction"]["steps"]
    assert step["name"] == "smoothquant" and step["layers"] == []  # no normalization in digits
