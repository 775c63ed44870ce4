"""tpuc-tool info --compare: two run folders, on the terminal and as a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reports.browser import browser, opened
from tests.reports.sample import HOSTILE, layers, report
from tpuc.reports import Accuracy, Run, Timing, compare_runs, write_report
from tpuc.tool import main


def run_folder(folder: Path, config: dict, **changes) -> Path:
    folder.mkdir()
    write_report(folder, report(**changes))
    (folder / "manifest.json").write_text(json.dumps({"config": config}))
    return folder


@pytest.fixture
def runs(tmp_path):
    facts = {"modes": ["INT8"], "name": "bm1684x"}
    kl = {"calibration": {"method": "kl", "input_num": 20}, "processor": facts}
    mse = {
        "calibration": {"method": "mse", "input_num": 20},
        "processor": {**facts, "modes": ["INT8", "F16"]},
    }
    first, conv, relu, last = layers()
    better = (first, replace(conv, threshold=3.0, sqnr_db=15.0), replace(relu, sqnr_db=12.9), last)
    gone = (*better, replace(relu, name="added"))
    a = run_folder(tmp_path / "kl", kl)
    b = run_folder(
        tmp_path / "mse", mse, layers=gone, accuracy=Accuracy(20, 0.9999, 0.98, 33.0),
        timings=(Timing("import", 0.4), Timing("search", 8.0)),
    )  # fmt: skip
    return a, b


def compare(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["info", *map(str, words)])
    return end.value.code


def loaded(folder: Path) -> Run:
    contents = (json.loads((folder / f"{n}.json").read_text()) for n in ("report", "manifest"))
    content, manifest = contents
    return Run(folder.name, content, manifest["config"])


def test_values(runs):
    found = compare_runs(*map(loaded, runs))
    (method,) = found.config  # the processor's facts follow from its name
    assert (method.name, method.first, method.second) == ("calibration.method", "kl", "mse")
    assert found.judged == "better"
    cosine = found.accuracy[0]
    assert (cosine.first, cosine.second, cosine.judged) == ("0.99950", "0.99990", "better")
    assert found.accuracy[1].judged == "worse"
    pairs = {pair.name: pair for pair in found.layers}
    assert pairs["conv"].gain_db == 3.0 and pairs["conv"].judged == "better"
    assert pairs["relu"].judged == "alike" and not pairs["relu"].changed
    assert pairs["input"].judged == "alike"  # exact in both
    assert found.only_second == ("added",) and found.only_first == ()
    assert [row.name for row in found.timings] == ["import", "calibrate", "search", "all stages"]
    assert "1 of 4 ops better" in found.summary


def test_the_other_way_round_is_worse(runs):
    found = compare_runs(*map(loaded, reversed(runs)))
    assert found.judged == "worse"
    assert {pair.name: pair.gain_db for pair in found.layers}["conv"] == -3.0


def test_terminal(runs, capsys):
    assert compare("--compare", *runs) == 0
    said = capsys.readouterr().out
    for words in ("calibration.method  kl | mse", "+ output cosine", "12.0 dB |  15.0 dB",
                  "2.5 | 3", "only in B: added", "search"):  # fmt: skip
        assert words in said, words
    assert "relu" not in said
    assert compare("--compare", *runs, "--all") == 0
    assert "relu" in capsys.readouterr().out


def test_page(runs, tmp_path, capsys):
    page = tmp_path / "both.html"
    assert compare("--compare", *runs, "--html", page) == 0
    text = page.read_text()
    assert "B is closer to float" in text and HOSTILE not in text
    assert "calibration.method" in text and ">only in b:" in text.lower()
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


def test_page_in_a_browser(runs, tmp_path, capsys):
    page = tmp_path / "both.html"
    compare("--compare", *runs, "--html", page)
    with browser() as chromium, opened(chromium, page, 390) as shown:
        rows = shown.locator(".paired tbody tr:visible")
        assert rows.count() == 4
        shown.get_by_role("combobox", name="Show", exact=True).select_option("better")
        assert rows.count() == 1 and "conv" in rows.first.inner_text()
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--compare", "nowhere", "nowhere"], "has no usable report.json"),
        ([], "expected a path"),
        (["x", "--html", "y"], "--html belongs to"),
        (["x", "--compare", "a", "b"], "two run folders and nothing else"),
    ],
)
def test_wrong_words_are_one_line(words, said, capsys):
    assert compare(*words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_damaged_report_is_one_line(runs, capsys):
    (runs[0] / "report.json").write_text('{"layers": []}')
    assert compare("--compare", *runs) == 2
    assert "damaged" in capsys.readouterr().err
