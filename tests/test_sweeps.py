"""Sweeps over cores, queues and machines: every run is a row, wherever it ran."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import tpuc as package
from tests.test_cli import BIN, tpuc

DIGITS = Path(package.__file__).parent / "zoo" / "digits.onnx"
SWEEP = ("-m", "recipe=digits", "calibration=kl,mse")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("sweeps")
    done = tpuc(*SWEEP, "hydra.sweep.dir=serial", cwd=home)
    assert done.returncode == 0, done.stderr
    return home


def rows(folder: Path):
    return json.loads((folder / "sweep.json").read_text())["runs"]


@pytest.mark.parametrize(
    ("launcher", "package"),
    [
        ("joblib", "hydra_plugins.hydra_joblib_launcher"),
        ("submitit_local", "hydra_plugins.hydra_submitit_launcher"),
        ("ray", "hydra_plugins.hydra_ray_launcher"),
    ],
)
def test_a_launcher_gives_the_runs_of_a_serial_sweep(home, launcher, package):
    pytest.importorskip(package)
    done = tpuc(*SWEEP, f"hydra/launcher={launcher}", f"hydra.sweep.dir={launcher}", cwd=home)
    assert done.returncode == 0, done.stderr
    found, expected = rows(home / launcher), rows(home / "serial")
    assert [r["overrides"] for r in found] == [r["overrides"] for r in expected]
    assert [r["accuracy"] for r in found] == [r["accuracy"] for r in expected]
    for number in ("0", "1"):
        name = "digits_bm1684x_int8.bmodel"
        one, other = (home / kind / number / name for kind in (launcher, "serial"))
        assert one.read_bytes() == other.read_bytes()
    assert (home / launcher / "sweep.html").is_file()


def test_a_failed_run_is_a_row_and_the_others_finish(home):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    files = f"{home / 'serial/0/digits_cali_table'},{home / 'absent'}"
    done = tpuc(
        "-m", "recipe=digits", "calibration=from_file", f"calibration.table={files}",
        "hydra/launcher=joblib", "hydra.sweep.dir=failed", cwd=home,
    )  # fmt: skip
    assert done.returncode == 2
    good, bad = rows(home / "failed")
    assert good["status"] == "done" and bad["status"] == "failed"
    assert "absent" in bad["error"] and bad["command"].startswith("tpuc recipe=digits")
    with (home / "failed/sweep.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["status"] for row in table] == ["done", "failed"]
    assert float(table[0]["output_cos_mean"]) > 0.99 and table[1]["output_cos_mean"] == ""
    assert table[1]["weight_bytes"] == "" and "2 failed" not in done.stderr
    assert "run 1: " in done.stderr and f"open {Path('failed/sweep.html')}" in done.stderr


def test_a_run_that_was_killed_is_a_row(home):
    """The machine of a run may vanish: whoever ends the sweep says so."""
    from tpuc.pipeline.sweeping import finish_sweep

    folder = home / "killed"
    process = subprocess.Popen(
        [str(BIN / "tpuc"), *SWEEP, f"hydra.sweep.dir={folder}", "cache=null"], cwd=home,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("run 1"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    status, said = finish_sweep(folder)
    assert status == 1 and said[0] == "1 done, 1 failed" and "killed" in said[1]
    assert said[2].startswith("closest to float: run 0, cosine 0.99")
    first, second = rows(folder)
    assert first["status"] == "done"
    assert second["status"] == "failed" and "killed" in second["error"]
    assert second["command"].startswith("tpuc recipe=digits calibration=mse")


@pytest.mark.parametrize(
    "by",
    [
        ["calibration=mse,kl"],
        ["calibration=mse,kl", "hydra/launcher=joblib"],
        ["calibration=choice(mse,kl)", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=1"],
    ],
)
def test_the_command_of_a_row_repeats_it_from_any_folder(home, by):
    for word in by[1:2]:
        pytest.importorskip(
            f"hydra_plugins.hydra_{word.partition('=')[2]}_"
            + ("launcher" if "launcher" in word else "sweeper")
        )
    place, elsewhere = home / f"a place of {len(by)}", home / f"elsewhere{len(by)}"
    (place / "mine/recipes").mkdir(parents=True)
    elsewhere.mkdir()
    shutil.copy(DIGITS, place / "net.onnx")
    ours = "# @package _global_\ndefaults:\n  - custom\n  - override /dataset: digits\n"
    (place / "mine/recipes/ours.yaml").write_text(ours)
    done = tpuc(
        "--config-dir", "mine", "-m", "recipe=ours", "model.path=net.onnx",
        "calibration.input_num=10", *by, "hydra.sweep.dir=all", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    row = rows(place / "all")[0]
    words = shlex.split(row["command"])
    assert words[0] == "tpuc"
    done = tpuc(*words[1:], "hydra.run.dir=again", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    for name in ("net_bm1684x_int8.bmodel", "net_cali_table", "net.mlir"):
        again, before = elsewhere / "again" / name, place / "all" / row["folder"] / name
        assert again.read_bytes() == before.read_bytes()


def test_optuna_searches_two_objectives(home):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    args = (
        "-m", "recipe=digits", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=4",
        "calibration=choice(kl,mse)", "quantize=choice(int8,f16)",
    )  # fmt: skip
    found = []
    for name in ("first", "again"):
        done = tpuc(*args, f"hydra.sweep.dir={name}", cwd=home)
        assert done.returncode == 0, done.stderr
        assert "'maximize', 'minimize'" in done.stdout + done.stderr
        assert len(rows(home / name)) == 4
        found.append((home / name / "optimization_results.yaml").read_bytes())
    assert found[0] == found[1]


@pytest.mark.skipif(shutil.which("srun") is not None, reason="this is a cluster")
def test_a_cluster_that_is_not_there_is_one_line(home):
    done = tpuc(*SWEEP, "hydra/launcher=submitit_slurm", cwd=home)
    assert done.returncode == 2
    assert "no srun on PATH" in done.stderr and done.stderr.count("\n") == 1


def test_a_launcher_that_is_not_there_is_one_line(home):
    done = tpuc(*SWEEP, "hydra/launcher=nope", cwd=home)
    assert done.returncode == 2
    assert "hydra/launcher/nope: not installed. Hint: pip install" in done.stderr
    assert "Traceback" not in done.stderr
