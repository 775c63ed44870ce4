"""Op types that are quantized, and wrong ones."""

from __future__ import annotations

import pytest

from tests.golden.mlir_names import read, vendor_table
from tpuc.errors import ConfigError
from tpuc.search import PartQuantize, match


def test_own_types_against_the_vendor(bm1684x):
    part = PartQuantize("custom_mode", ("Conv", "Concat", "Upsample"))
    rows = [r for r in vendor_table("yolov5_raw.custom_mode").splitlines() if r[0] != "#"]
    ours = match(read("yolov5_raw"), bm1684x, part=part).ops
    assert [f"{op.name} {op.mode}" for op in ours] == rows
    assert f"# # part_quant_mode: {part.header}\n" in vendor_table("yolov5_raw.custom_mode")


def test_reasons_name_the_mode_and_the_type():
    part = PartQuantize("H_mode")
    assert part.float_ops([("a", "Conv"), ("b", "Add")]) == {
        "b": "part_quantize H_mode: Add is not quantized"
    }


@pytest.mark.parametrize(
    ("mode", "types", "message"),
    [
        ("n_mode", (), "'n_mode'; expected N_mode, H_mode, custom_mode"),
        ("custom_mode", (), "expected op types with custom_mode"),
        ("N_mode", ("Conv",), "with it only"),
        ("custom_mode", ("Conv2d",), "no op type 'Conv2d'.* Hint: Conv"),
        ("custom_mode", ("relu",), "no op type 'relu'.* Hint: .*Relu"),
    ],
)
def test_wrong_modes_and_types(mode, types, message):
    with pytest.raises(ConfigError, match=message):
        PartQuantize(mode, types)
