"""tpuc-tool compare judges like TPU-MLIR's npz_tool compare (golden/tools/compare.json)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.golden.compare_cases import FUZZY, OPTIONS, pairs, strangers
from tpuc.tool import main
from tpuc.tools.tensor_verdict import compare_tensors

GOLDEN = json.loads((Path(__file__).parent.parent / "golden/tools/compare.json").read_text())
SETTINGS = {
    "default": {},
    "loose": {"tolerance": (0.99, 0.9)},
    "looser": {"tolerance": (0.8, 0.4)},
    "similar integers": {"exact_int8": False},
    "by channel": {"axis": 1, "tolerance": (0.95, 0.7)},
    "by sample": {"axis": 0, "exact_int8": False},
    "by row": {"axis": 2, "tolerance": (0.99, 0.9)},
    "one": {},
}
FUZZY_GOLDEN = json.loads((Path(__file__).parent.parent / "golden/tools/fuzzy.json").read_text())


WRAPS = {("similar integers", "int8 off by one"), ("by sample", "int8 off by one")}
"""Theirs adds in 8 bits, which runs over."""


@pytest.mark.parametrize(("options", "case"), [(o, c) for o in GOLDEN for c in GOLDEN[o]])
def test_verdict(options, case):
    word, order, figures, channel = GOLDEN[options][case]
    found = compare_tensors(*pairs()[case], **SETTINGS[options])
    assert (found.word, found.order) == (word, order)
    if channel is not None and case != "opposite":  # all of its channels are as bad
        assert found.part == channel
    if figures is None:
        assert found.figures is None
    elif (options, case) in WRAPS:
        assert found.figures[0] == pytest.approx(figures[0], abs=2e-5)
    else:
        assert found.figures == pytest.approx(figures, abs=2e-5, rel=2e-5)


def test_the_golden_file_has_every_verdict():
    words = {word for cases in GOLDEN.values() for word, *_ in cases.values()}
    assert words == {"EQUAL", "CLOSE", "SIMILAR", "NOT_EQUAL", "NOT_SIMILAR", "NOT_MATCH"}


@pytest.fixture
def files(tmp_path):
    for side, name in enumerate(("t.npz", "r.npz")):
        np.savez(tmp_path / name, **{case: pair[side] for case, pair in pairs().items()})
    return tmp_path / "t.npz", tmp_path / "r.npz"


def compare(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["compare", *map(str, words)])
    return end.value.code


@pytest.mark.parametrize("options", list(OPTIONS))
def test_the_command(files, options, capsys, tmp_path):
    assert compare(*files, *OPTIONS[options], "-v", "--save", tmp_path / "all.csv") == 3
    said = capsys.readouterr().out
    for case, (word, _, figures, _) in GOLDEN[options].items():
        (line,) = [text for text in said.splitlines() if text.startswith(f"[{case:<32}]")]
        assert f" {word} [" in line
        assert figures is None or "cosine" in line
    with (tmp_path / "all.csv").open() as file:
        saved = {r["name"]: r["verdict"] for r in csv.DictReader(file)}
    # along the last axis theirs fails and leaves the tensor out
    assert {n: saved[n] for n in GOLDEN[options]} == {n: v[0] for n, v in GOLDEN[options].items()}


def test_good_tensors_are_counted_alone(files, capsys):
    good = [n for n, (word, *_) in GOLDEN["default"].items() if word in ("EQUAL", "CLOSE")]
    bad = ",".join(set(GOLDEN["default"]) - set(good))
    assert compare(*files, "--excepts", bad) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and f"of {len(good)} tensors" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tolerance", "high"], "expected two numbers"),
        (["--excepts", ",".join(pairs())], "in common"),
        (["--key", "noise 0.3"], "the nearest name is 'noise 0.5'"),
    ],
)
def test_wrong_words_are_one_line(files, words, said, capsys):
    assert compare(*files, *words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.parametrize("options", list(FUZZY))
def test_names_do_not_matter_in_a_fuzzy_match(options, tmp_path, capsys):
    for name, tensors in zip(("a.npz", "b.npz"), strangers()):
        np.savez(tmp_path / name, **tensors)
    passed, best = FUZZY_GOLDEN[options]
    words = [tmp_path / "a.npz", tmp_path / "b.npz", "--fuzzy_match", *FUZZY[options]]
    assert compare(*words) == (0 if passed else 3)
    said = capsys.readouterr().out.splitlines()
    for name, (cosine, euclid) in best.items():
        (line,) = [text for text in said if text.startswith(f"[{name} ~ r{name[1]} ")]
        if cosine == 1:
            assert " EQUAL [" in line
        else:
            assert f"cosine {cosine:.6f}, euclid {euclid:.6f}" in line


def test_a_tensor_of_no_shape_there_has_no_match(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    np.savez(tmp_path / "b.npz", y=np.zeros(4))
    assert compare(tmp_path / "a.npz", tmp_path / "b.npz", "--fuzzy_match") == 3
    assert "NOT_MATCH" in capsys.readouterr().out


def test_details_of_one_tensor(files, capsys, tmp_path):
    """What -vv, -vvv, --full-array and --stats_int8_tensor add; names alone in the saved file."""
    key = ["--key", "int8 off by one"]
    assert compare(*files, *key, "-vv", "--stats_int8_tensor") == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("    127: ") and len(lines) == 13
    saved = tmp_path / "bad"
    assert compare(*files, *key, "--full-array", "-s", saved, "--only_key") == 3
    assert capsys.readouterr().out.splitlines()[1].startswith("    [3] ")
    assert saved.read_text() == "int8 off by one\n"
