"""Wrong input, as a person meets it: one line that names it, status 2, nothing built."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

BIN = Path(sys.executable).parent
MODEL = Path(__file__).parents[1] / "tpuc" / "zoo" / "digits.onnx"


def run(home: Path, *args: str, program: str = "tpuc") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "TPUC_CACHE": str(home / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [BIN / program, *args], cwd=home, env=env, capture_output=True, text=True, timeout=100
    )


def samples(home: Path, array: np.ndarray, name: str = "input") -> str:
    folder = home / "samples"
    folder.mkdir()
    for i, sample in enumerate(array):
        np.savez(folder / f"{i}.npz", **{name: sample[None]})
    return str(folder)


def good(count: int = 8) -> np.ndarray:
    return np.random.default_rng(0).random((count, 1, 8, 8), np.float32)


def truncated_model(home: Path) -> list[str]:
    (home / "cut.onnx").write_bytes(MODEL.read_bytes()[:5000])
    return ["model.path=cut.onnx"]


def text_as_model(home: Path) -> list[str]:
    (home / "text.onnx").write_text("hello")
    return ["model.path=text.onnx"]


def empty_folder(home: Path) -> list[str]:
    (home / "empty").mkdir()
    return ["dataset.path=empty"]


def corrupt_picture(home: Path) -> list[str]:
    (home / "pictures").mkdir()
    (home / "pictures" / "cat.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return ["dataset.path=pictures", "model.preprocess.pixel_format=gray"]


def wrong_key(home: Path) -> list[str]:
    return [f"dataset.path={samples(home, good(), 'image')}"]


def wrong_shape(home: Path) -> list[str]:
    return [f"dataset.path={samples(home, good()[:, :, :7])}"]


def wrong_type(home: Path) -> list[str]:
    return [f"dataset.path={samples(home, good().astype('U3'))}"]


def nan_sample(home: Path) -> list[str]:
    data = good()
    data[3, 0, 2, 2] = np.nan
    return [f"dataset.path={samples(home, data)}"]


def infinite_sample(home: Path) -> list[str]:
    data = good()
    data[1] = np.inf
    return [f"dataset.path={samples(home, data)}"]


def table_with(rows: str) -> Callable[[Path], list[str]]:
    def write(home: Path) -> list[str]:
        (home / "table").write_text("# op_name threshold min max\n" + rows)
        return ["calibration=from_file", "calibration.table=table"]

    return write


CASES: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "truncated model": (truncated_model, "cut.onnx"),
    "no model": (text_as_model, "text.onnx"),
    "empty folder": (empty_folder, "empty"),
    "corrupt picture": (corrupt_picture, "cat.jpg"),
    "wrong key": (wrong_key, "image"),
    "wrong shape": (wrong_shape, "(1, 1, 7, 8)"),
    "wrong type": (wrong_type, "<U3"),
    "NaN": (nan_sample, "NaN"),
    "infinite": (infinite_sample, "infinite"),
    "table of another model": (table_with("conv1 1.0 -1.0 1.0\n"), "another model"),
    "table with a missing op": (table_with("input 1.0 0.0 1.0\n"), "missing"),
    "table with an op twice": (table_with("input 1.0 0.0 1.0\n" * 2), "input"),
    "table with a broken row": (table_with("input one two\n"), "line 2: 3 fields"),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_is_one_line(case, tmp_path):
    prepare, word = CASES[case]
    done = run(tmp_path, "recipe=digits", *prepare(tmp_path), "hydra.run.dir=run")
    lines = [line for line in done.stderr.splitlines() if "tpuc: " in line]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert word in lines[0]
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").glob("*.bmodel"))
    assert not list((tmp_path / "cache").rglob(".*"))


def test_all_zero_samples_build_and_are_reported(tmp_path):
    folder = samples(tmp_path, np.zeros((8, 1, 8, 8), np.float32))
    done = run(tmp_path, "recipe=digits", f"dataset.path={folder}", "evaluation=none",
               "evaluation.path=null", "hydra.run.dir=run")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "all-zero tensors" in (tmp_path / "run" / "report.json").read_text()


def test_a_damaged_bmodel_is_one_line(tmp_path):
    done = run(tmp_path, "recipe=digits", "hydra.run.dir=run", "report.html=false")
    assert done.returncode == 0, done.stderr
    (bmodel,) = (tmp_path / "run").glob("*.bmodel")
    raw = bmodel.read_bytes()
    np.savez(tmp_path / "x.npz", input=good(1))
    flipped = bytearray(raw)
    flipped[len(raw) // 2] ^= 1
    for content in (raw[: len(raw) // 2], bytes(flipped), b""):
        bmodel.write_bytes(content)
        for args in (["run", str(bmodel), "--input", "x.npz"], ["info", str(bmodel)]):
            done = run(tmp_path, *args, program="tpuc-tool")
            assert done.returncode == 2, done.stdout
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr
            assert bmodel.name in done.stderr
