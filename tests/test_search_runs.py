"""Searches as a person starts them: files, exit status, wrong keys."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.test_cli import BIN, tpuc

LOGS = {
    "threshold": "Search_Threshold",
    "qtable": "Search_Qtable",
    "sensitive_layer": "SensitiveLayerSearch",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("searches")


@pytest.mark.parametrize("method", LOGS)
def test_a_search_writes_everything_and_is_cached(home, method):
    for run in ("first", "second"):
        folder = home / method / run
        done = tpuc(
            "recipe=digits", f"search={method}", "search.expected_cos=1.0",
            f"hydra.run.dir={folder}", cwd=home,
        )  # fmt: skip
        assert done.returncode == (0 if method == "threshold" else 3), done.stderr
        names = {p.name for p in folder.iterdir()}
        assert {"new_cali_table.txt", "digits_bm1684x_int8.bmodel", LOGS[method]} <= names
        assert ("digits_qtable" in names) == (method != "threshold")
        found = json.loads((folder / "report.json").read_text())["search"]
        assert found["method"] == method
    first, second = (home / method / run for run in ("first", "second"))
    for name in ("new_cali_table.txt", LOGS[method]):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    said = (done.stdout + done.stderr).splitlines()
    assert "(cached)" in next(t for t in said if t.startswith("search"))


def test_a_bounded_search_goes_on_to_the_same_end(home):
    args = ("recipe=digits", "search=qtable", "search.expected_cos=1.0")
    cache = home / "bounded"
    part = tpuc(*args, "search.max_trials=3", "hydra.run.dir=part", cwd=home, cache=cache)
    assert part.returncode == 3, part.stderr
    assert json.loads((home / "part/report.json").read_text())["search"]["stopped"]
    rest = tpuc(*args, "hydra.run.dir=rest", cwd=home, cache=cache)
    whole = tpuc(*args, "hydra.run.dir=whole", cwd=home, cache=home / "fresh")
    assert "goes on after" in rest.stdout + rest.stderr
    assert rest.returncode == whole.returncode == 3
    for name in ("new_cali_table.txt", "digits_qtable", "Search_Qtable"):
        assert (home / "rest" / name).read_bytes() == (home / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["search.expected_cos=1.5"], "expected 0 to 1"),
        (["search.global_compare_layers=nope"], "no op 'nope'"),
        (["search.global_compare_layers='output_Gemm:0.3'"], "sum to 0.3"),
        (["search.mix_mode=4_8"], "bm1684x does not have"),
        (
            ["processor=bm1688", "search.mix_mode=4_8", "search.quantize_methods=[aciq_gauss]"],
            "has no 4-bit thresholds",
        ),
        (["processor=bm1688", "search.mix_mode=w4a8"], "does not have"),
        (["processor=bm1688", "search.mix_mode=wi4ai4_wi8ai9"], "did you mean 'wi4ai4_wi8ai8'"),
        (["processor=bm1688", "search.mix_mode=4_8", "search=threshold"], "has no meaning with"),
        (["processor=bm1688", "quantize=int4", "search=pareto"], "Hint: search.mix_mode=4_8"),
        (["processor=cv186x", "search.mix_mode=4_8", "search=pareto"], "++processor.f16_tops="),
        (["search.max_float_layers=9999"], "more than the"),
        (["search.post_process=fails.py"], "failed with ValueError: broken"),
        (["search.post_process=empties.py"], "returned nothing in"),
    ],
)
def test_wrong_keys_are_refused_in_one_line(home, keys, said):
    (home / "fails.py").write_text("raise ValueError('broken')\n")
    (home / "empties.py").write_text(
        "def PostProcess(data):\n    return {n: a[..., :0] for n, a in data.items()}\n"
    )
    done = tpuc("recipe=digits", "search=qtable", *keys, cwd=home)
    lines = [t for t in done.stderr.splitlines() if t.startswith("tpuc: ")]
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(lines) == 1 and said in lines[0]
    assert "Traceback" not in done.stderr


def test_the_front_of_a_budgeted_search_is_written_and_shown(home):
    done = tpuc(
        "recipe=digits", "search=pareto", "search.budget=0.5", "search.expected_cos=0",
        "hydra.run.dir=front", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((home / "front/report.json").read_text())
    front = report["search"]["front"]
    assert len(front) > 2
    ordered = sorted(front, key=lambda point: point["cost"])
    assert [p["cos"] for p in ordered] == sorted(p["cos"] for p in front)
    assert "What the search found" in (home / "front/report.html").read_text()
    assert (home / "front/Search_Pareto").is_file()


def test_a_mix_costs_the_cycles_of_its_instructions(home):
    """The chosen mix against all of the network in 8 bits, each as it was built."""
    cycles = {}
    for name, keys in (
        ("plain", []),
        ("mixed", ["search=pareto", "search.cost=instructions", "search.expected_cos=0.9999"]),
    ):
        done = tpuc("recipe=digits", *keys, f"hydra.run.dir=cost/{name}", cwd=home)
        assert done.returncode in (0, 3), done.stderr
        report = json.loads((home / "cost" / name / "report.json").read_text())
        cycles[name] = report["cost"]["estimated_cycles"]
    (point,) = (
        p for p in report["search"]["front"] if p["float_ops"] == report["search"]["chosen"]
    )
    assert point["cost"] == pytest.approx(cycles["mixed"] / cycles["plain"], rel=1e-6)
    wrong = tpuc("recipe=digits", "search=pareto", "search.cost=guess", cwd=home)
    assert wrong.returncode == 2 and "cost" in wrong.stderr


def test_float_ops_from_named_ops_on(home):
    keys = ["search.fpfwd_outputs=['/12/Clip_output_0_Clip']"]
    done = tpuc("recipe=digits", "search=fp_forward", *keys, "hydra.run.dir=forward", cwd=home)
    assert done.returncode == 0, done.stderr
    rows = (home / "forward/digits_qtable").read_text()
    assert "output_Gemm F16" in rows
    layers = json.loads((home / "forward/report.json").read_text())["layers"]
    kinds = {row["name"]: row["dtype"] for row in layers}
    assert kinds["output_Gemm"] == "f16"
    assert kinds["/9/Clip_output_0_Clip"] in ("si8", "ui8")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["search.fpfwd_inputs=[nope]"], "no op 'nope'"),
        (["search.fpfwd_blocks=['output_Gemm:/9/Clip_output_0_Clip']"], "output_Gemm"),
        (["search.fpfwd_blocks=['/9/Clip_output_0_Clip']"], "expected"),
        (["search=none", "quantize.table=unknown"], "no op 'nope'"),
    ],
)
def test_wrong_names_of_float_ops_are_refused_in_one_line(home, keys, said):
    (home / "unknown").write_text("nope F16\n")
    done = tpuc("recipe=digits", "search=fp_forward", *keys, cwd=home)
    lines = [t for t in done.stderr.splitlines() if t.startswith("tpuc: ")]
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(lines) == 1 and said in lines[0], done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_search_goes_on_after_its_last_trial(home):
    """However the search ends, the trials that it has told stay."""
    args = ("recipe=digits", "search=qtable", "search.expected_cos=1.0")
    cache = home / "killed"
    process = subprocess.Popen(
        [str(BIN / "tpuc"), *args, "hydra.run.dir=killed_run"], cwd=home,
        env={**os.environ, "TPUC_CACHE": str(cache)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while process.poll() is None and not _trials(cache):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    before = _trials(cache)
    rest = tpuc(*args, "hydra.run.dir=killed_rest", cwd=home, cache=cache)
    whole = tpuc(*args, "hydra.run.dir=killed_whole", cwd=home, cache=home / "unkilled")
    assert rest.returncode == whole.returncode == 3, rest.stderr
    if before:  # else the search was over first
        assert f"goes on after {before} finished" in rest.stdout + rest.stderr
    for name in ("new_cali_table.txt", "digits_qtable", "Search_Qtable"):
        found = (home / "killed_rest" / name).read_bytes()
        assert found == (home / "killed_whole" / name).read_bytes()


def test_a_search_out_of_time_writes_the_best_so_far(home):
    done = tpuc(
        "recipe=digits", "search=qtable", "search.expected_cos=1.0", "search.max_seconds=0",
        "hydra.run.dir=hurried", cwd=home, cache=home / "hurry",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert (home / "hurried/digits_bm1684x_int8.bmodel").is_file()
    found = json.loads((home / "hurried/report.json").read_text())["search"]
    assert "max_seconds" in found["stopped"]


def _trials(cache: Path) -> int:
    """Whole lines of journals."""
    return sum(p.read_bytes().count(b"\n") for p in cache.rglob("journal.jsonl"))


@pytest.mark.parametrize(
    ("path", "refused"),
    [("zoo:digits_calibration", True), ("zoo:digits_test", False), ("null", False)],
)
def test_samples_that_chose_by_labels_do_not_judge(home, path, refused):
    done = tpuc(
        "recipe=digits", "search=qtable", "search.objective=accuracy", f"evaluation.path={path}",
        "stop_after=check", cwd=home,
    )  # fmt: skip
    assert done.returncode == (2 if refused else 0), done.stderr
    said = "accuracy chooses by 30 samples, and 30 of them are among the 100 that judge"
    assert (said in done.stderr) == refused


def test_judges_are_samples_that_no_search_chose_by(home):
    done = tpuc(
        "recipe=digits", "search=qtable", "search.objective=accuracy", "evaluation.path=null",
        "hydra.run.dir=apart", cwd=home,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    said = json.loads((home / "apart/report.json").read_text())["accuracy"]
    assert said["samples"] == 70
    assert "also used to search" not in said["overlap"]


def test_4_and_8_bits_are_mixed(home):
    folder = home / "four_bits"
    done = tpuc(
        "recipe=digits", "search=qtable", "search.mix_mode=4_8", "processor=bm1688",
        "search.expected_cos=0.99", f"hydra.run.dir={folder}", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "digits_bm1688_int4.bmodel").is_file()
    found = json.loads((folder / "report.json").read_text())["search"]
    assert found["cos"] >= 0.99 * found["quantized_cos"]
    kept = set(found["int8_ops"])
    rows = (folder / "digits_qtable").read_text() if kept else ""
    assert all(f"{n} INT8" in rows for n in kept)
    table = (folder / "new_cali_table.txt").read_text()
    small = table.partition("#int4_op\n")[2].split()
    assert small and not kept & set(small)
    assert "when it alone is INT4" in (folder / "report.html").read_text()


@pytest.mark.parametrize("budget", [None, 0.95])
def test_the_front_from_4_bits_to_float_is_written_and_chosen_from(home, budget):
    folder = home / f"four_front_{budget}"
    keys = [] if budget is None else [f"search.budget={budget}"]
    done = tpuc(
        "recipe=digits", "search=pareto", "search.mix_mode=4_8", "processor=bm1688",
        "search.expected_cos=0.99", f"hydra.run.dir={folder}", *keys, cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "digits_bm1688_int4.bmodel").is_file()
    found = json.loads((folder / "report.json").read_text())["search"]
    front = found["front"]
    assert front[0]["int8_ops"] == front[0]["float_ops"] == []
    assert front[0]["cost"] < 1.0 < front[-1]["cost"] and front[-1]["float_ops"]
    if budget is None:
        wanted = min((p for p in front if p["cos"] > 0.99), key=lambda p: p["cost"])
    else:
        wanted = max((p for p in front if p["cost"] <= budget), key=lambda p: p["cos"])
    assert found["cos"] == wanted["cos"]
    assert set(found["chosen"]) == {*wanted["int8_ops"], *wanted["float_ops"]}
    rows = (folder / "digits_qtable").read_text()
    assert all(f"{n} INT8" in rows for n in wanted["int8_ops"])
    small = (folder / "new_cali_table.txt").read_text().partition("#int4_op\n")[2].split()
    assert small and not set(small) & set(found["chosen"])
    page = (folder / "report.html").read_text()
    assert "against that of all ops in INT8" in page and "INT8 ops" in page
