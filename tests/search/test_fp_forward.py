"""Parts that the user borders, against tables of TPU-MLIR's fp_forward."""

from __future__ import annotations

import pytest

from tests.golden.mlir_names import FOLDER, read
from tpuc.errors import ConfigError
from tpuc.search import fp_forward

NET = "yolov5_raw"
CASES = {
    "inputs": (["/fourth/fourth.2/Mul_output_0_Mul"], [], []),
    "outputs": (
        ["/third/third.0/third.0.0/Conv_output_0_Conv"],
        ["/Concat_1_output_0_Concat", "/head/maps.2/Conv_output_0_Conv"],
        [],
    ),
    "blocks": (
        [],
        [],
        [
            "/fifth/fifth.1/first/first.2/Mul_output_0_Mul"
            ":/fifth/fifth.1/last/last.0/Conv_output_0_Conv",
            "/third/third.1/third.1.2/Mul_output_0_Mul,/mid/mid.0/Conv_output_0_Conv"
            ":/fourth/fourth.0/Conv_output_0_Conv,/Concat_1_output_0_Concat",
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_are_those_of_the_vendor(case, bm1684x):
    text = (FOLDER / f"{NET}.fpfwd_{case}").read_text(encoding="utf-8")
    wanted = {line for line in text.splitlines() if not line.startswith("#")}
    ours = fp_forward(read(NET), *CASES[case], bm1684x)
    assert {f"{op.name} {op.mode}" for op in ours} == wanted
    assert len(ours) == len(wanted)
    assert {op.source for op in ours} == {"fp_forward"}


def test_rows_stand_in_program_order(bm1684x):
    order = [node.name for node in read(NET).nodes]
    ours = [op.name for op in fp_forward(read(NET), *CASES["outputs"], bm1684x)]
    assert ours == sorted(ours, key=order.index)


def test_an_unknown_name_is_an_error_with_near_ones(bm1684x):
    with pytest.raises(
        ConfigError,
        match=r"fpfwd_inputs: .* '/fourth/fourth.2/Mul_output_0'.*/fourth/fourth.2/Mul_o",
    ):
        fp_forward(read(NET), ["/fourth/fourth.2/Mul_output_0"], [], [], bm1684x)
    with pytest.raises(ConfigError, match="fpfwd_outputs: the model has no op 'nope'"):
        fp_forward(read(NET), [], ["nope"], [], bm1684x)


def test_a_block_must_reach_its_end(bm1684x):
    late, early = "/head/maps.0/Conv_output_0_Conv", "/fourth/fourth.2/Mul_output_0_Mul"
    with pytest.raises(ConfigError, match=f"start Conv '{late}' reaches none of its ends"):
        fp_forward(read(NET), [], [], [f"{late}:{early}"], bm1684x)
    with pytest.raises(ConfigError, match="start Conv .* reaches none"):
        fp_forward(read(NET), [], [], [f"{early},{late}:/up/Resize_output_0_Resize"], bm1684x)
    with pytest.raises(ConfigError, match="end Conv .* is reached from none"):
        ends = "/up/Resize_output_0_Resize,/third/third.0/third.0.0/Conv_output_0_Conv"
        fp_forward(read(NET), [], [], [f"{early}:{ends}"], bm1684x)


@pytest.mark.parametrize("block", ["", "a", "a:", ":a", "a:b:c"])
def test_a_block_has_one_colon(block, bm1684x):
    with pytest.raises(ConfigError, match="expected starts:ends"):
        fp_forward(read(NET), [], [], [block], bm1684x)
