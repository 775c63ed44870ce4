"""Recipes for a YOLO and a COCO folder of one's own: published forms, small, drawn weights."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import cv2
import onnx
import pytest

from tests.golden.mlir_names import FOLDER
from tests.golden.weights import fill_weights
from tests.test_cli import tpuc
from tpuc.zoo.scenes import CLASSES, draw_scene

COUNT = 4  # classes of the networks


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with pictures and annotations as COCO has them."""
    home = tmp_path_factory.mktemp("coco")
    (home / "val").mkdir()
    images, annotations = [], []
    for number in range(5):
        scene, name = draw_scene(number), f"{number:012d}.jpg"
        cv2.imwrite(str(home / "val" / name), scene.picture)
        height, width = scene.picture.shape[:2]
        images.append({"id": 100 + number, "file_name": name, "width": width, "height": height})
        for box, kind in zip(scene.boxes.tolist(), scene.classes.tolist()):
            if kind < COUNT:
                row = {"image_id": 100 + number, "category_id": 1 + 2 * kind, "bbox": box}
                annotations.append({"id": len(annotations), **row})
    kinds = [{"id": 1 + 2 * i, "name": CLASSES[i]} for i in range(COUNT)]
    content = {"images": images, "annotations": annotations, "categories": kinds}
    (home / "instances.json").write_text(json.dumps(content))
    return home


def network(home: Path, name: str) -> onnx.ModelProto:
    model = onnx.ModelProto.FromString(gzip.decompress((FOLDER / f"{name}.onnx.gz").read_bytes()))
    fill_weights(model)
    onnx.save(model, str(home / f"{name}.onnx"))
    return model


def build(home: Path, recipe: str, model: str, *keys: str) -> dict:
    done = tpuc(
        f"recipe={recipe}", f"model.path={model}.onnx", "dataset.path=val", "evaluation.path=val",
        "evaluation.annotations=instances.json", "evaluation.input_num=2", "calibration.tune_num=1",
        *keys, f"hydra.run.dir={recipe}", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((home / recipe / "report.json").read_text())
    assert list(report["task"]["figures"]) == ["float", "INT8", "mixed"]
    assert all(0 <= f["map"] <= f["map50"] <= 1 for f in report["task"]["figures"].values())
    assert len(list((home / recipe).glob("detection_*.jpg"))) == 15
    assert (home / recipe / "detection.csv").is_file()
    return report


def test_yolov5s_with_its_head_in_float(home):
    model = network(home, "yolov5_raw")
    heads = [n.output[0] for n in model.graph.node if n.op_type == "Conv"][-3:]
    report = build(
        home, "yolov5s", "yolov5_raw", f"model.output_names=[{','.join(map(repr, heads))}]",
        f"search.fpfwd_outputs=[{','.join(repr(h + '_Conv') for h in heads)}]",
    )  # fmt: skip
    types = {row["name"]: row["dtype"] for row in report["layers"]}
    assert {types[f"{h}_Conv"] for h in heads} == {"f16"}
    assert "si8" in types.values()


def test_yolov8n_with_its_head_in_float(home):
    network(home, "yolov8")
    report = build(home, "yolov8n", "yolov8")
    assert sum(row["dtype"] == "f16" for row in report["layers"]) >= 25
    assert "yolo_block" in (home / "yolov8n" / "yolov8n_qtable").read_text()


def test_yolov8n_with_boxes_inside(home):
    network(home, "yolov8")
    done = tpuc(
        "recipe=yolov8n", "model.path=yolov8.onnx", "dataset.path=val", "evaluation.path=val",
        "evaluation.annotations=instances.json", "model.add_postprocess=yolov8",
        "calibration=max", "evaluation.input_num=0", "hydra.run.dir=inside", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "detection of mixed: map" in done.stdout + done.stderr
