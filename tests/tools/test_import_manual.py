"""Every command block of the manual's worked examples becomes a recipe, or says why it has none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.test_cli import tpuc
from tpuc.config.keys import key_type
from tpuc.config.schema import Job
from tpuc.tool import main
from tpuc.tools.vendor_commands import stand_in
from tpuc.tools.vendor_commands.options import PROGRAMS

TEXT = (Path(__file__).parents[1] / "golden/tools/manual_commands.txt").read_text()
EXAMPLES = {
    head: [block for block in body.split("\n\n") if block.strip()]
    for head, body in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
}
BLOCKS = [block for blocks in EXAMPLES.values() for block in blocks]


def imported(capsys, text: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["import", text])
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


def _builds(block: str) -> bool:
    return any(re.search(rf"\b{name}(\.py)?\b", block) for name in PROGRAMS)


def keys_of(recipe: dict, prefix: str = "") -> list[str]:
    found = []
    for key, value in recipe.items():
        inside = isinstance(value, dict) and key_type(prefix + key) is None
        found += keys_of(value, f"{prefix}{key}.") if inside else [prefix + key]
    return found


def test_all_blocks_are_there():
    assert len(BLOCKS) == 33 and sum(map(_builds, BLOCKS)) == 23


@pytest.mark.parametrize("block", [b for b in BLOCKS if _builds(b)])
def test_a_block_becomes_a_recipe_of_keys_that_there_are(block, capsys):
    status, text, error = imported(capsys, block)
    assert status == 0 and error == ""
    recipe = yaml.safe_load(text)
    for choice in recipe.pop("defaults"):
        ((group, _),) = choice.items()
        assert group.removeprefix("override /") in Job.__dataclass_fields__
    assert all(key_type(key) is not None for key in keys_of(recipe))
    options = re.findall(r"\s--?([a-z]\w+)", block)
    assert options and all(f"-{option}" in text for option in options)


@pytest.mark.parametrize("block", [b for b in BLOCKS if not _builds(b)])
def test_a_block_that_builds_nothing_says_so_in_one_line(block, capsys):
    status, text, error = imported(capsys, block)
    assert status == 2 and text == ""
    assert error.count("\n") == 1 and "builds nothing" in error
    assert stand_in(block.lstrip().removeprefix("$ "))


@pytest.mark.parametrize("name", [n for n, blocks in EXAMPLES.items() if any(map(_builds, blocks))])
def test_a_whole_example_is_one_recipe_that_composes(name, tmp_path):
    script, target = tmp_path / "build.sh", tmp_path / "mine/recipes/net.yaml"
    blocks = EXAMPLES[name] if not name.startswith("case") else EXAMPLES[name][:1]
    script.write_text("\n".join(blocks) + "\n")
    done = tpuc("import", str(script), "--output", str(target), cwd=tmp_path, program="tpuc-tool")
    assert done.returncode == 0, done.stderr
    shown = tpuc("--config-dir", "mine", "recipe=net", "--cfg", "job", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    job = yaml.safe_load(shown.stdout)
    assert {key: _get(job, key) for key in EXPECTED[name]} == EXPECTED[name]


def _get(job: dict, key: str):
    for part in key.split("."):
        job = job[part]
    return job


EXPECTED = {
    "case 1": {"search.method": "threshold", "search.inference_num": 30},
    "case 2": {"calibration.method": "max", "calibration.input_num": 100},
    "case 3": {
        "correction.smoothquant": True, "correction.weight_equalization": True,
        "correction.bias_correction": True, "correction.bc_inference_num": 100,
        "search.method": "threshold", "processor.name": "bm1684",
    },
    "search_qtable": {
        "model.path": "../mobilenet_v2.pt", "model.preprocess.resize_dims": [256, 256],
        "dataset.path": "../ILSVRC2012", "calibration.method": "kl",
        "search.method": "qtable", "search.expected_cos": 0.99,
        "search.quantize_methods": ["KL", "MSE"], "search.post_process": "post_process_func.py",
        "quantize.mode": "INT8", "quantize.table": None, "processor.name": "bm1684",
    },
    "bert": {
        "model.path": "../bert_base_squad_uncased-2.11.0.onnx", "calibration.method": "mse",
        "calibration.input_num": 10, "calibration.tune_num": 0,
        "model.input_shapes": [[1, 384], [1, 384], [1, 384]],
    },
    "run_sensitive_layer": {
        "search.method": "sensitive_layer", "search.inference_num": 30,
        "calibration.input_num": 100, "quantize.mode": "INT8",
    },
    "fp_forward": {
        "search.method": "fp_forward", "model.path": "yolov5s.mlir",
        "search.fpfwd_outputs": ["474_Conv", "326_Conv", "622_Conv"],
        "calibration.method": "from_file", "processor.name": "bm1684x",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "here"),
    [
        ("classify_mobilenet_v2.py --model_def a.bmodel --input b.JPEG --output c.JPEG "
         "--category_file d",
         "tpuc-tool classify a.bmodel --input b.JPEG --classes d --output c.JPEG"),
        ("python3 -m tpu_perf.precision_benchmark x", "evaluation=detection"),
        ("npz_tool.py compare a.npz b.npz", "tpuc-tool compare"),
        ("model_runner --input a --model b", "tpuc-tool run"),
        ("pip install tpu_mlir[all]", "nothing"),
        ("frobnicate", ""),
    ],
)  # fmt: skip
def test_stand_in(line, here):
    assert stand_in(line).startswith(here) and bool(stand_in(line)) == bool(here)
