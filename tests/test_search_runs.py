"""Searches as a person starts them: files, exit status, wrong keys."""

from __future__ import annotations

import json

import pytest

from tests.test_cli import tpuc

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
