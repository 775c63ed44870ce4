"""backend=tpu_mlir with stand-ins for TPU-MLIR's programs: what goes over, what comes back."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.test_cli import tpuc
from tpuc.artifacts import Range
from tpuc.calibration.table import parse
from tpuc.ir.text_parse import load_mlir

DEPLOY = """#!{python}
import json, os, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print("compiling")
if given["--quantize"] == "F16":
    sys.exit("no such type")
for key in ("--mlir", "--calibration_table"):
    assert os.path.getsize(given[key])
given["table"] = open(given["--calibration_table"]).read()
with open(given["--model"], "w") as file:
    json.dump(given, file)
"""

RUNNER = """#!{python}
import sys
import numpy as np
import tpuc
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
feeds = dict(np.load(given["--input"]))
outputs = tpuc.load("{bmodel}").run(feeds)
name, array = next(iter(outputs.items()))
array[0, 0] += 0.5
np.savez(given["--output"], **{{name: array}})
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("delegate")
    done = tpuc("recipe=digits", "hydra.run.dir=own", cwd=home)
    assert done.returncode == 0, done.stderr
    (home / "bin").mkdir()
    bmodel = home / "own/digits_bm1684x_int8.bmodel"
    for name, text in (("model_deploy", DEPLOY), ("model_runner", RUNNER)):
        program = home / "bin" / name
        program.write_text(text.format(python=sys.executable, bmodel=bmodel))
        program.chmod(0o755)
    (home / "bin/python").write_text("")
    return home


def build(home: Path, *args: str):
    return tpuc("recipe=digits", "backend=tpu_mlir", *args, cwd=home)


def test_graph_and_tables_are_handed_over_and_compared(home):
    done = build(home, f"backend.python={home / 'bin/python'}", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    given = json.loads((home / "run/digits_bm1684x_int8.bmodel").read_text())
    assert given["--quantize"] == "INT8" and given["--mlir"] == "digits.mlir"
    assert (home / "run/model_deploy.log").read_text() == "compiling\n"
    found = json.loads((home / "run/report.json").read_text())["tpu_mlir"]
    assert found["samples"] == 2
    row = found["rows"][0]
    assert row["name"] == "output_Gemm_f32"
    assert row["equal"] == pytest.approx(0.9) and row["most"] == pytest.approx(0.5)
    assert "Against TPU-MLIR" in (home / "run/report.html").read_text()
    assert not [p for p in (home / "run").iterdir() if p.name.startswith(".tpu_mlir")]


def test_floats_of_8_bits_without_scales_go_over_with_thresholds_of_one(home):
    done = build(home, f"backend.python={home / 'bin/python'}", "processor=bm1690",
                 "quantize=f8e5m2", "hydra.run.dir=ones")  # fmt: skip
    assert done.returncode == 0, done.stderr
    given = json.loads((home / "ones/digits_bm1690_f8e5m2.bmodel").read_text())
    names = {n.name for n in load_mlir(home / "ones/digits.mlir")}
    table = parse(given["table"])
    assert set(table.ranges) == names
    assert set(table.ranges.values()) == {Range(1.0, -1.0, 1.0)}
    assert not list((home / "ones").glob("*cali_table*"))


def test_a_failure_is_one_line_with_its_log(home):
    where = f"backend.python={home / 'bin'}/python"
    done = build(home, where, "quantize=f16", "hydra.run.dir=failed")
    assert done.returncode == 2
    assert "model_deploy ended with status 1: no such type" in done.stderr
    assert "model_deploy.log" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("where", [[], ["backend.python=nowhere/python"]])
def test_without_tpu_mlir_nothing_begins(home, where):
    done = build(home, *where, "hydra.run.dir=none")
    assert done.returncode == 2
    assert "pip install" in done.stderr and not (home / "none/digits.mlir").exists()


def test_what_its_compiler_complains_of_is_told():
    from tpuc.backends.tpu_mlir.toolchain import _last_words

    crash = "Only calibrated type can do quantize\nUNREACHABLE executed at f.cpp:1!\n#0 0x1\n"
    assert _last_words(crash + "RuntimeError: [!Error]: tpuc-opt x") == crash.splitlines()[0]
    assert _last_words("a\nRuntimeError: no such type\nb") == "RuntimeError: no such type"
    assert _last_words("x" * 300).endswith(" ...")
    assert _last_words("") == "it printed nothing"
