"""Builds of networks that compute with whole numbers, as Mod of positions of TopK does."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from tests.frontend.onnx_models import build
from tests.test_cli import tpuc
from tpuc.calibration import table as table_text

BODY = """
    s = Conv <kernel_shape = [1, 1]> (x, w)
    flat = Reshape (s, flat_shape)
    best, place = TopK <axis = 1> (flat, k)
    kind = Mod (place, four)
    column = Cast <to = 1> (kind)
    y = Add (column, best)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("whole")
    random = np.random.default_rng(0)
    data = {
        "w": random.normal(size=(4, 4, 1, 1)).astype(np.float32),
        "flat_shape": np.array([1, 256]), "k": np.array([20]), "four": np.array(4),
    }  # fmt: skip
    onnx.save(build(BODY, data), str(home / "net.onnx"))
    (home / "samples").mkdir()
    for index in range(5):
        x = random.normal(size=(1, 4, 8, 8)).astype(np.float32)
        np.savez(home / "samples" / f"{index}.npz", x=x)
    return home


@pytest.mark.parametrize("tuned", [0, 3])
def test_mod_of_positions_is_calibrated_and_built(home, tuned):
    run = home / f"run{tuned}"
    done = tpuc("recipe=custom", "model.path=net.onnx", "model.name=net", "dataset.path=samples",
                "calibration.input_num=5", f"calibration.tune_num={tuned}", "report.html=false",
                f"hydra.run.dir={run.name}", cwd=home)  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    rows = table_text.read(run / "net_cali_table").ranges
    assert "kind_Mod" in rows
    assert 0 < rows["kind_Mod"].threshold <= 4
    assert not [name for name in rows if name.startswith("kind_Mod_") and "div" in name]
    layers = json.loads((run / "report.json").read_text())["layers"]
    assert "kind_Mod" in {layer["name"] for layer in layers}
