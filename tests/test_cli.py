"""The commands as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def tpuc(*args: str, cwd: Path, cache: Path | None = None, program: str = "tpuc"):
    env = {**os.environ, "TPUC_CACHE": str(cache or cwd / "cache"), "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        [str(BIN / program), *args], cwd=cwd, env=env, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def built(home):
    done = tpuc("recipe=digits", "hydra.run.dir=run", cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "run"


def test_help_is_ours_and_fast(home):
    start = time.perf_counter()
    done = tpuc("--help", cwd=home)
    assert time.perf_counter() - start < 2.0  # half a second on a quiet machine
    assert done.returncode == 0
    assert "tpuc recipe=digits" in done.stdout
    assert "efficientnet_lite0" in done.stdout


def test_a_run_folder_holds_the_contract(built):
    names = {p.name for p in built.iterdir()}
    assert {
        "digits.mlir",
        "digits_top_weights.npz",
        "digits_cali_table",
        "digits_bm1684x_int8.bmodel",
        "report.json",
        "report.html",
        "layers.csv",
        "manifest.json",
        ".hydra",
    } <= names
    report = json.loads((built / "report.json").read_text())
    assert report["accuracy"]["float_top1"] > 0.97
    assert report["accuracy"]["top1"] > 0.965
    assert len(report["layers"]) == 9
    assert {row["dtype"] for row in report["layers"]} <= {"f32", "ui8", "si8"}


def test_the_second_run_is_cached_and_the_same(built, home):
    done = tpuc("recipe=digits", "hydra.run.dir=again", cwd=home)
    assert done.stderr.count("(cached)") >= 3
    for name in ("digits_cali_table", "digits_bm1684x_int8.bmodel", "digits.mlir"):
        assert (home / "again" / name).read_bytes() == (built / name).read_bytes()


def test_one_thread_gives_the_same_bytes(built, home):
    done = tpuc("recipe=digits", "hydra.run.dir=one", "threads=1", "cache=null", cwd=home)
    assert done.returncode == 0, done.stderr
    for name in ("digits_cali_table", "digits_bm1684x_int8.bmodel"):
        assert (home / "one" / name).read_bytes() == (built / name).read_bytes()


def test_verify_repeats_the_run(built, home):
    done = tpuc("verify", "run", cwd=home, program="tpuc-tool")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SAME") == 5


def test_verify_finds_a_changed_file(built, home):
    import shutil

    shutil.copytree(built, home / "changed")
    table = home / "changed" / "digits_cali_table"
    table.write_text(table.read_text().replace("# op_name", "# op_names"))
    done = tpuc("verify", "changed", cwd=home, program="tpuc-tool")
    assert done.returncode == 3
    assert "CHANGED   digits_cali_table" in done.stdout


def test_info_compare_and_run(built, home):
    import numpy as np

    sample = home / "sample.npz"
    np.savez(sample, input=np.zeros((1, 1, 8, 8), np.float32))
    model = str(built / "digits_bm1684x_int8.bmodel")
    run = tpuc("run", model, "--input", str(sample), "--output", "o.npz", "--all", cwd=home,
               program="tpuc-tool")  # fmt: skip
    assert run.returncode == 0, run.stderr
    with np.load(home / "o.npz") as tensors:
        assert tensors["output_Gemm_f32"].shape == (1, 10)
    same = tpuc("compare", "o.npz", "o.npz", cwd=home, program="tpuc-tool")
    assert same.returncode == 0
    assert "EQUAL" in same.stdout
    for what in (model, str(built), str(built / "digits_cali_table")):
        assert tpuc("info", what, cwd=home, program="tpuc-tool").returncode == 0


def test_the_calibrated_table_can_be_given_back(built, home):
    done = tpuc(
        "recipe=digits",
        "calibration=from_file",
        f"calibration.table={built / 'digits_cali_table'}",
        "hydra.run.dir=given",
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    first, second = (
        (f / "digits_bm1684x_int8.bmodel").read_bytes() for f in (built, home / "given")
    )
    assert first == second


def test_a_missed_goal_is_status_3_and_everything_is_written(home):
    done = tpuc("recipe=digits", "evaluation.expected_cos=1.0", "hydra.run.dir=goal", cwd=home)
    assert done.returncode == 3
    assert (home / "goal" / "report.html").is_file()


def test_float_builds(home):
    for mode in ("f32", "f16", "bf16"):
        done = tpuc("recipe=digits", f"quantize={mode}", f"hydra.run.dir={mode}", cwd=home)
        assert done.returncode == 0, done.stderr
        report = json.loads((home / mode / "report.json").read_text())
        assert report["accuracy"]["output_cos_mean"] > (0.999999 if mode == "f32" else 0.999)


def test_a_sweep_builds_each_value_and_survives_a_bad_one(built, home):
    done = tpuc(
        "-m", "recipe=digits", "calibration=kl,max", "calibration.histogram_bins=2048",
        "hydra.sweep.dir=sweep", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (home / "sweep").iterdir() if p.is_dir()) == ["0", "1"]
    assert (home / "sweep" / "sweep.json").is_file()
    assert (home / "sweep" / "sweep.html").is_file()


def test_a_sweep_over_methods_runs_the_network_once(home, tmp_path):
    """Side by side, too; and every method's bytes are those of a run of its own."""
    methods = "kl,mse,max,percentile9999,aciq_gauss,aciq_laplace,torch_observer"
    args = ("recipe=digits", "calibration.kurtosis=true", "backend=none", "report.html=false")
    cache = tmp_path / "shared"
    both = [
        subprocess.Popen(
            [BIN / "tpuc", "-m", *args, f"calibration={order}", f"hydra.sweep.dir={name}"],
            cwd=tmp_path, env={**os.environ, "TPUC_CACHE": str(cache)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for name, order in (("a", methods), ("b", ",".join(methods.split(",")[::-1])))
    ]  # fmt: skip
    for process in both:
        _, err = process.communicate()
        assert process.returncode == 0, err
    passes = 0
    for i, method in enumerate(methods.split(",")):
        runs = [tmp_path / "a" / str(i), tmp_path / "b" / str(6 - i)]
        reports = [json.loads((r / "report.json").read_text()) for r in runs]
        passes += sum(not t["cached"] for r in reports for t in r["timings"]
                      if t["stage"] == "calibrate")  # fmt: skip
        alone = tmp_path / method
        tpuc(*args, f"calibration={method}", "cache=null", f"hydra.run.dir={alone}", cwd=home)
        for name in ("digits_cali_table", "kurtosis_analysis"):
            assert {(r / name).read_bytes() for r in runs} == {(alone / name).read_bytes()}
    assert passes == 1
    assert not [p for p in (cache / "calibrate").iterdir() if p.name.startswith(".")]


def test_a_users_own_recipe(home):
    folder = home / "mine" / "recipes"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: digits\n"
        "  - override /dataset: digits\n  - override /quantize: f32\n"
    )
    done = tpuc(
        "--config-dir", "mine", "recipe=own", "model.preprocess.mean=[0.0]", "report.html=false",
        "hydra.run.dir=own", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (home / "own" / "digits.mlir").is_file()
    command = json.loads((home / "own" / "manifest.json").read_text())["command"]
    given = f"--config-dir {folder.parent} recipe=own 'model.preprocess.mean=[0.0]'"
    assert command == f"tpuc {given} report.html=false"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["recipe=digit"], "recipe=digit: no such option; did you mean 'digits'"),
        (["calibration.metod=kl"], "did you mean 'calibration.method'"),
        (["calibration=kll"], "did you mean 'kl'"),
        (["calibration.input_num=abc"], "calibration.input_num"),
        (["processor=bm1685"], "did you mean 'bm168"),
        (["quantize.mode=INT9"], "quantize.mode: Invalid value 'INT9'"),
        (["foo"], "expected key=value"),
        (["-m", "calibration=kl,msee"], "calibration=msee: no such option; did you mean 'mse'"),
        (["-m", "quantize.mode=INT8,INT9"], "quantize.mode: Invalid value 'INT9'"),
        (["model.path=nope.onnx"], "model.path: no such file"),
        (["stop_after=calibrat"], "did you mean 'calibrate'"),
        (["dataset.path=nope"], "dataset.path: no such file or folder"),
        (["calibration.input_num=0"], "expected at least 1"),
        (["quantize.mode=INT4"], "bm1684x has no INT4"),
        (["processor=cv183x", "search=pareto"], "needs facts of cv183x"),
        (["recipe=custom"], "model.path: not set"),
        (["calibration=from_file"], "calibration.table: not set"),
        (["--config-dir", "nowhere"], "no such folder"),
        (["evaluation.expected_cos=2"], "expected 0 to 1"),
    ],
)
def test_wrong_configuration_is_one_line(args, words, home):
    done = tpuc(*args, "hydra.run.dir=bad", cwd=home)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1
    assert words in lines[0]


def test_stop_after_check_builds_nothing(home):
    done = tpuc("recipe=digits", "stop_after=check", "hydra.run.dir=check", cwd=home)
    assert done.returncode == 0, done.stderr
    assert not list((home / "check").glob("*.bmodel"))


def test_a_read_only_place_is_one_line(home):
    if os.geteuid() == 0:
        target = "/proc/tpuc"
    else:
        (home / "locked").mkdir(mode=0o500)
        target = str(home / "locked" / "run")
    done = tpuc("recipe=digits", f"hydra.run.dir={target}", cwd=home)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert target in done.stderr


def test_stopping_after_calibration_leaves_the_table(home):
    done = tpuc("recipe=digits", "stop_after=calibrate", "hydra.run.dir=half", cwd=home)
    assert done.returncode == 0, done.stderr
    assert (home / "half" / "digits_cali_table").is_file()


def test_an_mlir_file_gives_the_same_build_as_the_model_it_came_from(home, built):
    args = ["recipe=custom", f"model.path={built / 'digits.mlir'}", "dataset=digits"]
    done = tpuc(
        *args,
        "evaluation=classification",
        "evaluation.path=zoo:digits_test",
        "hydra.run.dir=from_mlir",
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    for name in ("digits.mlir", "digits_cali_table", "digits_bm1684x_int8.bmodel"):
        assert (home / "from_mlir" / name).read_bytes() == (built / name).read_bytes()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("model.input_shapes=[[1,1,8,8]]", "model.input_shapes"),
        ("model.output_names=[output_Gemm]", "model.output_names"),
        ("model.preprocess.pad_value=3", "model.preprocess"),
    ],
)
def test_what_an_mlir_file_settles_is_refused(home, built, key, said):
    done = tpuc(
        "recipe=custom", f"model.path={built / 'digits.mlir'}", "dataset=digits", key, cwd=home
    )
    assert done.returncode == 2
    assert said in done.stderr and "is MLIR" in done.stderr
