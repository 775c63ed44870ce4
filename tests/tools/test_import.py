"""TPU-MLIR's command lines become recipes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.test_cli import tpuc
from tpuc.errors import ConfigError
from tpuc.tools.vendor_commands import assemble, read_script, recipe_text
from tpuc.tools.vendor_commands.options import PROGRAMS

OPTIONS = json.loads((Path(__file__).parents[1] / "golden" / "tools" / "options.json").read_text())

SCRIPT = r"""#!/bin/bash
NET=mobilenet_v2   # the manual's first example
mkdir workspace && cd workspace
model_transform \
    --model_name $NET --model_def ../mobilenet_v2.pt \
    --input_shapes [[1,3,224,224]] --resize_dims 256,256 \
    --mean 123.675,116.28,103.53 --scale 0.0171,0.0175,0.0174 --pixel_format rgb \
    --mlir ${NET}.mlir
python3 tools/run_calibration.py ${NET}.mlir \
    --dataset ../ILSVRC2012 --input_num 100 --inference_num 30 --expected_cos 0.98 \
    --quantize_method_list KL,MSE --search search_qtable --transformer False \
    --processor bm1684x --quantize_table ${NET}_qtable --calibration_table ${NET}_cali_table
$ model_deploy --mlir $NET.mlir --quantize F32 --processor bm1684x --model f32.bmodel
model_deploy --mlir $NET.mlir --quantize INT8 --processor bm1684x --opt=3 \
    --calibration_table new_cali_table.txt --quantize_table ${NET}_qtable --model int8.bmodel
classify_mobilenet_v2 --model_def int8.bmodel
"""


def imported(text):
    commands, others = read_script(text)
    draft = assemble(commands)
    return draft, yaml.safe_load(recipe_text(draft, commands, others))


def lost(draft):
    return [text for changes, text in draft.remarks if changes]


def test_a_whole_script_is_one_recipe():
    draft, recipe = imported(SCRIPT)
    assert lost(draft) == []
    assert draft.also == ["quantize=f32 processor=bm1684x"]
    assert recipe == {
        "defaults": [
            {"override /search": "qtable"},
            {"override /processor": "bm1684x"},
            {"override /quantize": "int8"},
        ],
        "model": {
            "name": "mobilenet_v2",
            "path": "../mobilenet_v2.pt",
            "input_shapes": [[1, 3, 224, 224]],
            "preprocess": {
                "resize_dims": [256, 256],
                "mean": [123.675, 116.28, 103.53],
                "scale": [0.0171, 0.0175, 0.0174],
                "pixel_format": "rgb",
            },
        },
        "dataset": {"path": "../ILSVRC2012"},
        "calibration": {"input_num": 100},
        "search": {
            "inference_num": 30,
            "expected_cos": 0.98,
            "quantize_methods": ["KL", "MSE"],
            "transformer": False,
        },
    }


def test_the_recipe_builds(tmp_path):
    target = tmp_path / "mine/recipes/net.yaml"
    done = tpuc("import", SCRIPT, "--output", str(target), cwd=tmp_path, program="tpuc-tool")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["tpuc", "--config-dir", str(tmp_path / "mine"), "recipe=net"]
    shown = tpuc(*done.stdout.split()[1:], "--cfg", "job", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    job = yaml.safe_load(shown.stdout)
    assert job["search"]["method"] == "qtable" and job["search"]["expected_cos"] == 0.98
    again = tpuc("import", SCRIPT, "--output", str(target), cwd=tmp_path, program="tpuc-tool")
    assert again.returncode == 2 and "exists already" in again.stderr


@pytest.mark.parametrize("program", OPTIONS)
def test_every_option_of_the_program_is_known(program):
    known = PROGRAMS[program].options
    for name, takes in OPTIONS[program].items():
        assert name in known, f"{program} --{name}"
        assert bool(known[name].takes) == takes, f"{program} --{name}"
        assert known[name].key or known[name].why


@pytest.mark.parametrize(
    ("text", "group", "choice"),
    [
        ("run_calibration n.mlir --cali_method use_mse", "calibration", "mse"),
        ("run_calibration n.mlir --debug_cmd use_max", "calibration", "max"),
        ("run_calibration n.mlir --debug_cmd fp8 --cali_method max", "calibration", "max"),
        ("run_calibration n.mlir --cali_method use_torch_observer_for_cali", "calibration",
         "torch_observer"),
        ("run_calibration n.mlir --search search_threshold", "search", "threshold"),
        ("run_sensitive_layer n.mlir -o q", "search", "sensitive_layer"),
        ("fp_forward n.mlir --fpfwd_blocks a:b c:d --chip bm1684x -o q", "search", "fp_forward"),
        ("model_deploy --mlir n.mlir --chip BM1688 --quantize f16 --model x", "processor",
         "bm1688"),
        ("model_deploy --mlir n.mlir --quantize f16 --model x", "quantize", "f16"),
        ("model_deploy --mlir n.mlir --model x", "quantize", "f32"),
        ("model_deploy --mlir n.mlir --calibration_table t --quantize INT8", "calibration",
         "from_file"),
        ("model_deploy --mlir n.mlir --not_gen_bmodel", "backend", "none"),
    ],
)  # fmt: skip
def test_what_becomes_a_group(text, group, choice):
    draft, recipe = imported(text)
    assert draft.groups[group] == choice
    assert recipe["model"]["path"] == "n.mlir"


def test_blocks_are_several_words():
    draft, _ = imported("fp_forward n.mlir --fpfwd_blocks a:b c:d --chip bm1684x -o q")
    assert draft.keys["search.fpfwd_blocks"] == ["a:b", "c:d"]


def test_tables_that_the_script_makes_are_not_read():
    text = "fp_forward n.mlir --fpfwd_outputs a --chip bm1684x -o q && model_deploy --mlir n.mlir"
    assert "quantize.table" not in imported(f"{text} --quantize_table dir/q")[0].keys
    assert imported(f"{text} --quantize_table other")[0].keys["quantize.table"] == "other"


@pytest.mark.parametrize(
    "text",
    [
        "model_deploy --mlir n.mlir --quant_input",
        "model_deploy --mlir n.mlir --chip cv184x",
        "model_deploy --mlir n.mlir --quantize QDQ",
        "run_calibration n.mlir --search fast_search",
        "run_calibration n.mlir --search search_qtable; fp_forward n.mlir --fpfwd_outputs a -o q",
    ],
)
def test_what_is_lost_is_told(text):
    draft, _ = imported(text)
    assert len(lost(draft)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# nothing", "no command of TPU-MLIR"),
        ("run_calibration n.mlir --serch x", "no option --serch. Hint: --search"),
        ("run_calibration n.mlir --input_num", "--input_num: has no value"),
        ("run_calibration n.mlir --input_num ten", "--input_num ten"),
        ("model_deploy 'n.mlir", "expected a shell command"),
        ("model_deploy n.mlir", "belongs to no option"),
        ("model_transform --model_def a; model_transform --model_def b", "two networks"),
    ],
)
def test_wrong_commands_are_one_line(text, said):
    with pytest.raises(ConfigError, match=said) as error:
        imported(text)
    assert "\n" not in str(error.value)


WORDS = (
    *("model_deploy", "--quantize", "INT8", "--fpfwd_blocks", "fp_forward"),
    *("--", "-", "'", "&&", "\n", "$X", "X=1", "#", "[[", "\u00e9"),
)


@given(st.lists(st.sampled_from(WORDS)))
def test_any_text_is_read_or_refused(words):
    try:
        imported(" ".join(words))
    except ConfigError as error:
        assert str(error)
