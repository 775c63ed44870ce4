"""Zero points together with searches, corrections and TPU-MLIR's backend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_cli import tpuc
from tpuc.backends.bmodel import read_bmodel

RELU = "/9/Clip_output_0_Clip"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("zero_points")


@pytest.fixture(scope="module")
def plain(home):
    return _built(home, "plain")


def _built(home: Path, run: str, *args: str) -> tuple[dict, bytes]:
    """The report, and the bmodel, which is made with zero points."""
    done = tpuc("recipe=digits", "quantize.asymmetric=true", "calibration.input_num=20",
                "report.html=false", *args, f"hydra.run.dir={run}", cwd=home)  # fmt: skip
    assert done.returncode in (0, 3), done.stderr  # 3: a goal was missed, all is written
    (bmodel,) = (home / run).glob("*.bmodel")
    graph = read_bmodel(bmodel).graph
    quants = [v.quant for v in graph.values() if v.dtype.bits == 8 and v.quant is not None]
    assert any(q.zero_point for q in quants)
    return json.loads((home / run / "report.json").read_text()), bmodel.read_bytes()


@pytest.mark.parametrize(
    "search",
    [
        ["search=threshold"],
        ["search=qtable", "search.expected_cos=0.99999", "search.max_float_layers=2"],
        ["search=sensitive_layer", "search.expected_cos=0.99999"],
        ["search=fp_forward", f"search.fpfwd_inputs=[{RELU}]"],
        ["search=pareto", "search.expected_cos=0.99999"],
    ],
    ids=lambda s: s[0].partition("=")[2],
)
def test_every_search_tries_builds_with_zero_points(search, home, plain):
    report, _ = _built(home, search[0].partition("=")[2], "search.inference_num=4", *search)
    assert report["accuracy"]["output_cos_mean"] > plain[0]["accuracy"]["output_cos_mean"] - 2e-4
    floats = [r["name"] for r in report["layers"] if r["dtype"] in ("f16", "f32")]
    if "fp_forward" in search[0]:
        assert RELU in floats


@pytest.mark.parametrize(
    "correction",
    ["weight_equalization", "softmax_correction", "smoothquant", "bias_correction", "adaround"],
)
def test_every_correction_works_with_zero_points(correction, home, plain):
    report, bmodel = _built(home, correction, f"correction={correction}",
                            "correction.min_layer_cos=1", "correction.bc_inference_num=10",
                            "correction.adaround_num=10")  # fmt: skip
    before, after = plain[0]["accuracy"], report["accuracy"]
    assert after["output_cos_mean"] > before["output_cos_mean"] - 1e-4
    if correction in ("bias_correction", "adaround"):
        assert bmodel != plain[1]
    if correction == "adaround":
        assert after["output_cos_mean"] > before["output_cos_mean"]
