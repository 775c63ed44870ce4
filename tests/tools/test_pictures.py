"""tpuc-tool classify and detect: one picture, from a bmodel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tpuc.config.composing import from_plain
from tpuc.pipeline import run
from tpuc.tool import main
from tpuc.zoo.scenes import CLASSES, draw_scene


def build(folder: Path, name: str, preprocess: dict, samples: np.ndarray) -> Path:
    np.savez(folder / "samples.npz", **{"input" if name == "digits" else "images": samples})
    job = {
        "model": {"name": name, "path": f"zoo:{name}", "preprocess": preprocess},
        "dataset": {"path": str(folder / "samples.npz")},
        "calibration": {"method": "max", "tune_num": 0},
        "processor": PROCESSOR,
        "evaluation": {"input_num": 0},
        "report": {"html": False},
    }
    run(from_plain(job), folder / "run")
    (bmodel,) = (folder / "run").glob("*.bmodel")
    return bmodel


def processor() -> dict:
    import yaml

    text = (Path(__file__).parents[2] / "conf" / "processor" / "bm1684x.yaml").read_text()
    return yaml.safe_load(text)


PROCESSOR = processor()


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_classify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tpuc.zoo.digits import split

    (train, _), (pictures, labels) = split()
    gray = {"pixel_format": "gray", "mean": [0.0], "scale": [1 / 255]}
    bmodel = build(tmp_path, "digits", gray, train[:20])
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"digit {n}" for n in range(10)))
    picture = tmp_path / "digit.png"
    cv2.imwrite(str(picture), np.rint(pictures[3, 0] * 255).astype(np.uint8))
    out = tmp_path / "out.jpg"
    line = ["classify", str(bmodel), "--input", str(picture), "--output", str(out)]
    text = said([*line, "--classes", str(names)], capsys).splitlines()
    assert text[0] == "Top-5"
    assert text[1].startswith(f"digit {labels[3]} ")
    assert cv2.imread(str(out)) is not None


def test_detect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preprocess = {
        "keep_aspect_ratio": True, "pad_value": 114, "pixel_format": "rgb",
        "mean": [0.0, 0.0, 0.0], "scale": [0.0039216, 0.0039216, 0.0039216],
    }  # fmt: skip
    scenes = [draw_scene(seed) for seed in range(6)]
    small = [cv2.resize(s.picture, (128, 128))[:, :, ::-1].transpose(2, 0, 1) for s in scenes]
    samples = np.stack(small).astype(np.float32) / 255
    bmodel = build(tmp_path, "tiny_yolo", preprocess, samples)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(CLASSES))
    scene = draw_scene(3, test=True)
    picture, out = tmp_path / "scene.png", tmp_path / "out.jpg"
    cv2.imwrite(str(picture), scene.picture)
    line = ["detect", str(bmodel), "--input", str(picture), "--output", str(out)]
    text = said([*line, "--classes", str(names), "--min-score", "0.5"], capsys).splitlines()
    found = {row.split()[-1] for row in text[:-1]}
    wanted = {CLASSES[k] for k in scene.classes}
    assert len(found & wanted) >= 0.6 * len(wanted), (text, wanted)
    assert cv2.imread(str(out)).shape[1] >= scene.picture.shape[1]
    said(line, capsys)  # without names, classes are numbers
