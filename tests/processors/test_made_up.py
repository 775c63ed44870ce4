"""A new processor is one file: the commands build for one that only a user's folder knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SHIPPED = Path(__file__).parents[2] / "conf" / "processor" / "bm1684x.yaml"


def tpuc(folder: Path, *args: str, program: str = "tpuc") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "TPUC_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(Path(sys.executable).parent / program), *args],
        cwd=folder, env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    facts = yaml.safe_load(SHIPPED.read_text())
    facts.update(name="tpu9", chip="TPU9", modes=["INT8", "BF16", "F32"], float_type="BF16")
    facts.update(built=["INT8", "BF16"], mix_types=["BF16"], sources=["made up"])
    (folder / "mine" / "processor").mkdir(parents=True)
    (folder / "mine" / "processor" / "tpu9.yaml").write_text(yaml.safe_dump(facts))
    return folder


def test_a_made_up_processor_is_built_for(home):
    words = ("--config-dir", "mine", "recipe=digits", "processor=tpu9", "hydra.run.dir=run")
    done = tpuc(home, *words)
    assert done.returncode == 0, done.stderr
    bmodel = home / "run" / "digits_tpu9_int8.bmodel"
    assert bmodel.is_file()
    assert "for TPU9" in tpuc(home, "info", str(bmodel), program="tpuc-tool").stdout
    report = json.loads((home / "run" / "report.json").read_text())
    assert report["processor"] == "tpu9"


def test_what_it_lacks_is_refused_with_what_it_has(home):
    words = ("--config-dir", "mine", "recipe=digits", "processor=tpu9", "stop_after=check")
    done = tpuc(home, *words, "quantize=f16")
    assert done.returncode == 2
    assert "tpu9 has no F16; it has INT8, BF16, F32" in done.stderr


def test_a_changed_fact_changes_the_integers(home):
    facts = yaml.safe_load((home / "mine" / "processor" / "tpu9.yaml").read_text())
    facts.update(name="tpu8", requant="shift_only")
    (home / "mine" / "processor" / "tpu8.yaml").write_text(yaml.safe_dump(facts))
    built = []
    for name in ("tpu9", "tpu8"):
        words = ("--config-dir", "mine", "recipe=digits", f"processor={name}")
        done = tpuc(home, *words, f"hydra.run.dir={name}")
        assert done.returncode == 0, done.stderr
        built.append(json.loads((home / name / "report.json").read_text())["accuracy"])
    assert built[0]["output_cos_mean"] > built[1]["output_cos_mean"] > 0.9
