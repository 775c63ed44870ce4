"""Matching against tables that TPU-MLIR writes for networks of each family (golden/patterns)."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.golden.mlir_names import FOLDER, read, vendor_table
from tpuc.errors import ConfigError
from tpuc.ir import Graph, Value
from tpuc.processors import load_processor
from tpuc.search import PartQuantize, match, shape_ops
from tpuc.search.patterns.blocks import BLOCKS, expand

NETS = sorted(p.name.removesuffix(".mlir.gz") for p in FOLDER.glob("*.mlir.gz"))
ORDERS = json.loads(gzip.decompress((FOLDER / "orders.json.gz").read_bytes()))
FAMILIES = {
    "yolov5_anchor": "yolo_block",
    "yolov6_silu": "yolo_block",
    "yolov7": "yolo_block",
    "yolov8": "yolo_block",
    "yolov9": "yolo_block",
    "yolov10_e2e": "yolo_block",
    "yolov11": "yolo_block",
    "yolov12": "yolo_block_12",
    "yolov26_two": "yolo_block",
    "bert_orig": "bert_block_1",
    "bert_qkv": "bert_block",
    "eva02_clip": "eva02_block",
    "eva02_timm": "eva02_block_v1",
    "deit_orig": "deit_block",
    "swin_timm": "_swin_block",
    "cswin": "cswin_block",
    "vit_timm": "vit_block",
    "detr_orig": "detr_block",
    "vf": "vf_attention_block",
    "shape_zoo": "",
}
F32_TAIL = 47


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("net", NETS)
def test_rows_and_messages_are_those_of_the_vendor(net, bm1684x):
    text = vendor_table(net)
    matched = match(read(net), bm1684x)
    shapes = {op.name for op in shape_ops(read(net), bm1684x)}
    ours = [f"{op.name} {op.mode}" for op in matched.ops]
    of_shapes = [row for row in rows(text) if row.split()[0] in shapes]
    assert ours == [row for row in rows(text) if row not in of_shapes]
    assert len(of_shapes) == len(shapes)
    assert all(f"# {message}\n" in text for message in matched.messages)
    assert len(re.findall(r"\(Name: ", text)) == len(matched.messages)


@pytest.mark.parametrize(("net", "block"), FAMILIES.items())
def test_the_family_is_told(net, block, bm1684x):
    assert match(read(net), bm1684x).block == block


@pytest.mark.parametrize("mode", ["N_mode", "H_mode"])
def test_types_that_are_not_quantized_come_first(mode, bm1684x):
    matched = match(read("yolov5_raw"), bm1684x, part=PartQuantize(mode))
    assert [f"{op.name} {op.mode}" for op in matched.ops] == rows(
        vendor_table(f"yolov5_raw.{mode}")
    )
    assert {op.source for op in matched.ops} == {"part_quantize", "pattern"}


@pytest.mark.parametrize("index", range(len(ORDERS)))
def test_made_up_orders_give_the_rows_of_the_vendor(index, bm1684x):
    """Blocks between other ops, users and producers by chance: also families without a network."""
    case, want = ORDERS[index]["case"], ORDERS[index]["want"]
    graph, (mode, types) = graph_of(case), case["part"] or (None, ())
    matched = match(graph, bm1684x, part=PartQuantize(mode, tuple(types)) if mode else None)
    two_stages = want["flag"] == 2
    tail = results(want["fp"]) if two_stages else []
    pattern = results(want["ext"] if two_stages else want["fp"])
    assert [op.name for op in matched.tail] == tail
    assert [op.name for op in matched.precise] == want["f32"]
    late = {*tail, *want["f32"]}
    assert [op.name for op in matched.pattern] == [n for n in pattern if n not in late]
    assert list(matched.symmetric) == want["sym"]
    assert list(matched.messages) == want["logs"]
    assert {op.name for op in shape_ops(graph, bm1684x)} == set(results(want["shape"]))


def results(names: list[str]) -> list[str]:
    """Names, with `fused["a", "b"]` as a and b; each once."""
    parts = (re.findall(r'"([^"]+)"', n) if n.startswith("fused[") else [n] for n in names)
    return list(dict.fromkeys(part for group in parts for part in group))


def graph_of(case: dict) -> Graph:
    graph, values = Graph("made"), {}
    for op, names, operands, attrs in case["ops"]:
        outputs = [Value(name, ()) for name in names]
        graph.add(op, [values[o] for o in operands], outputs, attrs)
        values.update(zip(names, outputs, strict=True))
    graph.outputs = [values[name] for name in case["outputs"]]
    return graph


def chain(types: list[str]) -> Graph:
    graph, last = Graph("chain"), []
    for index, op in enumerate(types):
        last = list(graph.add(op, last, [Value(f"v{index}", ())]).outputs)
    graph.outputs = last
    return graph


def test_every_block_can_be_matched(bm1684x):
    """No block is hidden by one that is tried before it."""
    for name, block in BLOCKS.items():
        assert match(chain(["Input", *expand(block)]), bm1684x).block == name


def test_the_last_type_of_a_block_may_be_longer(bm1684x):
    types = ["Input", *expand(BLOCKS["deit_block"])]
    assert match(chain([*types[:-1], "MatMulX"]), bm1684x).block == "deit_block"
    assert match(chain(["Input", *types[2:]]), bm1684x).block == ""


def test_other_orders_match_nothing(bm1684x):
    types = ["Input", *expand(BLOCKS["vit_block"])]
    types[3], types[4] = types[4], types[3]
    matched = match(chain(types), bm1684x)
    assert (matched.block, matched.count, matched.ops, matched.messages) == ("", 0, (), ())


def test_float_type_is_a_fact_of_the_processor(bm1684x):
    bf16 = replace(bm1684x, name="other", float_type="BF16", mix_types=("BF16",))
    two = match(read("yolov26_two"), bm1684x)
    assert {op.mode for op in two.pattern} == {"F16"}
    assert [op.mode for op in two.tail] == ["F32"] * F32_TAIL
    assert {op.mode for op in match(read("yolov26_two"), bf16).ops} == {"BF16"}
    assert {op.mode for op in match(read("yolov26_two"), bm1684x, "F32").ops} == {"F32"}
    assert {op.mode for op in match(read("yolov26_two"), bm1684x, "F16").ops} == {"F16"}
    with pytest.raises(ConfigError, match=r"other does not mix F16 .* expected auto or BF16"):
        match(read("yolov8"), bf16, "F16")


@pytest.mark.parametrize(
    ("name", "modes"),
    [
        ("bm1684x", {"F16": 36, "F32": 47}),
        ("bm1688", {"F16": 36, "F32": 47}),
        ("cv186x", {"F16": 36, "F32": 47}),
        ("bm1684", {"F32": 83}),
        ("cv183x", {"BF16": 83}),
    ],
)
def test_two_stages_on_each_processor_as_the_vendor_writes_them(name, modes):
    path = Path(__file__).parents[2] / "conf" / "processor" / f"{name}.yaml"
    processor = load_processor(yaml.safe_load(path.read_text(encoding="utf-8")))
    ops = match(read("yolov26_two"), processor).ops
    assert Counter(op.mode for op in ops) == modes


def test_f32_ops_of_a_pattern_need_a_processor_that_mixes_f32(bm1684x):
    case = next(o["case"] for o in ORDERS if o["want"]["f32"])
    assert {op.mode for op in match(graph_of(case), bm1684x, "F16").precise} == {"F32"}
    bf16 = replace(bm1684x, float_type="BF16", mix_types=("BF16",))
    assert {op.mode for op in match(graph_of(case), bf16).precise} == {"BF16"}


def test_every_row_has_an_op_and_a_reason(bm1684x):
    graph = read("yolov26_two")
    names = {node.name for node in graph.nodes}
    for op in match(graph, bm1684x).ops:
        assert op.op in names
        assert op.reason.startswith("yolo_block: ")
    topk = [op for op in match(graph, bm1684x).ops if "TopK_output_1" in op.name]
    assert [op.op for op in topk] == ["/model.23/TopK_output_0_TopK"]
