"""What model_deploy is told of a build."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tpuc.pipeline.delegating import _options

CASES = {
    "INT8": (True, False, ["--asymmetric"]),
    "F16": (False, False, []),
    "INT4": (False, False, ["--tolerance", "0.0,0.0"]),
    "W4F16": (False, False, ["--q_group_size", "32"]),
    "W8BF16": (False, True, ["--q_group_size", "32", "--q_symmetric"]),
}


@pytest.mark.parametrize("mode", CASES)
def test_types_zero_points_and_groups(mode, tmp_path):
    asymmetric, symmetric, more = CASES[mode]
    quantize = SimpleNamespace(
        mode=SimpleNamespace(name=mode),
        asymmetric=asymmetric,
        q_group_size=32,
        q_symmetric=symmetric,
    )
    job = SimpleNamespace(quantize=quantize, processor={"name": "bm1688"})
    (tmp_path / "net_cali_table").touch()
    found = _options(job, tmp_path, "net", "net.bmodel")
    assert found == [
        *["--mlir", "net.mlir", "--quantize", mode, "--chip", "bm1688", "--model", "net.bmodel"],
        *more,
        *["--calibration_table", str(tmp_path / "net_cali_table")],
    ]
