from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser

import pytest

from tests.reports.large import large_report
from tests.reports.sample import HOSTILE, layers, report, sweep
from tpuc.errors import ArtifactError
from tpuc.reports import SweepRow, build_report, report_html, write_report, write_sweep
from tpuc.reports.structure import CSV_COLUMNS
from tpuc.reports.sweep import sweep_html

DESIGNED = (
    "schema_version recipe model processor quantize calibration search accuracy layers cost "
    "timings artifacts"
).split()


def test_report_json_has_the_designed_keys():
    content = build_report(report())
    assert set(DESIGNED) <= set(content) and content["schema_version"] == 1
    layer = content["layers"][1]
    for key in "name type dtype threshold min max cos sqnr_db reason".split():
        assert key in layer
    assert layer["histogram"]["high"] == 5.0
    assert content["accuracy"]["output_cos_mean"] == 0.9995
    assert content["layers"][0]["sqnr_db"] is None  # infinite: JSON has no such number


def test_write_report(tmp_path):
    content = write_report(tmp_path, report())
    assert json.loads((tmp_path / "report.json").read_text()) == content
    assert (
        sorted(p.name for p in tmp_path.iterdir()) == "layers.csv report.html report.json".split()
    )
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    write_report(tmp_path, report())
    assert before == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_json_keeps_lists_of_numbers_on_one_line(tmp_path):
    write_report(tmp_path, report(recipe="[\n 1,\n 2\n]"))
    text = (tmp_path / "report.json").read_text()
    assert '"counts": [ 100.0, 50.0, 10.0, 0.0, 2.0 ]' in text
    assert json.loads(text)["recipe"] == "[\n 1,\n 2\n]"


def test_layers_csv(tmp_path):
    write_report(tmp_path, report())
    with (tmp_path / "layers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [r["name"] for r in rows] == [row.name for row in layers()]
    assert rows[1]["shape"] == "1x4x8x8" and rows[3]["threshold"] == ""


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ArtifactError, match=r"report\.json.*No space left") as caught:
        write_report(tmp_path, report())
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


# ---- pages ---------------------------------------------------------------------------------------

_VOID = {"meta", "link", "input", "br", "wbr", "path", "circle", "rect"}


class _Page(HTMLParser):
    """Balanced tags, unique ids, every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attrs: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.hidden: list[bool] = []  # from readers, for each open tag
        self.unsaid: list[str] = []  # pictures without words that readers meet
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in _VOID:
            self.open.append(tag)
            self.hidden.append(("aria-hidden", "true") in attrs)
        if tag == "svg" and not any(self.hidden) and "aria-label" not in dict(attrs):
            self.unsaid.append(str(attrs))
        self.tags.append(tag)
        for key, value in attrs:
            self.attrs.append((tag, key, value or ""))
            if key == "id":
                self.ids.append(value)

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag
            self.hidden.pop()

    def values(self, key):
        return [value for _, k, value in self.attrs if k == key]


@pytest.fixture(params=["report", "sweep"])
def html(request, tmp_path):
    if request.param == "report":
        return report_html(report(model=HOSTILE, command=HOSTILE, recipe=HOSTILE))
    write_sweep(tmp_path, sweep())
    return (tmp_path / "sweep.html").read_text()


def test_page_is_well_formed_and_stands_alone(html):
    page = _Page(html)
    assert len(page.ids) == len(set(page.ids))
    asked = html.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert "http:" not in asked and "https:" not in asked and "@import" not in asked
    assert set(page.values("src")) == set()
    for link in page.values("href"):
        assert link.startswith(("#", "data:")) or link.endswith("/report.html")
        if link.startswith("#"):
            assert link[1:] in page.ids
    for key in ("aria-labelledby", "aria-describedby"):
        for target in page.values(key):
            assert target in page.ids
    assert len(html) < 90_000


def test_every_text_is_escaped(html):
    page = _Page(html)
    assert (
        html.count("<script>") == 1
        and page.tags.count("script") <= 2
        and "<script>alert" not in html
    )
    assert "&lt;script&gt;" in html and "{{7*7}}" in html


def test_page_speaks_to_screen_readers(html):
    page = _Page(html)
    for tag in ("main", "h1"):
        assert page.tags.count(tag) == 1
    assert {"nav", "section", "footer"} <= set(page.tags)
    assert page.tags.count("table") == page.tags.count("caption") > 0
    assert page.tags.count("th") == page.values("scope").count("col") > 0
    assert 'aria-sort="ascending"' in html


def test_empty_report_says_what_is_missing():
    html = report_html(report(layers=(), accuracy=report().accuracy.__class__(), timings=()))
    _Page(html)
    assert "Accuracy was not measured" in html and "dataset.path" in html


def test_page_of_300_ops_stays_below_two_megabytes():
    html = report_html(large_report())
    page = _Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert len(html.encode()) < 2_000_000
    assert "r299" in page.ids and html.count('<figure class="hist"') == 299


def test_what_all_runs_of_a_sweep_share_is_said_once():
    shared = ("recipe=digits", "threads=1")
    rows = [SweepRow((*shared, f"calibration={m}"), "tpuc") for m in ("kl", "mse")]
    page = sweep_html(rows)
    assert page.count("recipe=digits threads=1") == 1
    assert ">calibration=mse<" in page
    assert "Sweep of 0 runs" in sweep_html(())


def test_a_run_without_a_page_has_no_link_to_one():
    links = re.findall(r'href="(\d)/report.html"', sweep_html(sweep()))
    assert links == ["1", "2"]


def test_sweep_json(tmp_path):
    write_sweep(tmp_path, sweep())
    runs = json.loads((tmp_path / "sweep.json").read_text())["runs"]
    assert [r["status"] for r in runs] == ["done", "done", "done", "failed"]
    assert runs[1]["accuracy"]["output_cos_mean"] == 0.999 and runs[1]["command"] == "tpuc x=1"


def test_every_control_has_a_name_and_every_picture_words():
    """What a screen reader finds without a script: labels, roles, one heading a section."""
    html = report_html(large_report())
    page = _Page(html)
    for tag in ("input", "select"):
        for start in re.findall(rf"<{tag}\b[^>]*>", html):
            before = html[: html.index(start)]
            assert before.rfind("<label") > before.rfind("</label>"), start
    for attributes, words in re.findall(r"<button\b([^>]*)>(.*?)</button>", html, re.S):
        assert "aria-label=" in attributes or re.search(r"\w", words), attributes
    assert page.unsaid == []
    for section in re.findall(r"<section\b.*?</section>", html, re.S):
        assert len(re.findall(r"<h2\b", section)) == 1
    boxes = re.findall(r'<a class="box[^>]*aria-label="([^"]*)"', html)
    assert len(boxes) == 300 and all("SQNR" in words for words in boxes)
    assert len(page.values("role")) > 300


def test_nothing_is_told_by_colour_alone():
    html = report_html(large_report())
    for sqnr, box in re.findall(r'<text [^>]*class="s">([^<]*)</text>(.*?)</a>', html):
        assert "dB" in sqnr or sqnr in ("exact", "–"), box
    assert "40 dB and more" in html and "below 10 dB" in html
