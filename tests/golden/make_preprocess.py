"""Regenerates `preprocess/`: drawn pictures, and TPU-MLIR's tensors for them.

    TPUC_VENDOR/bin/python tests/golden/make_preprocess.py

Run it with the Python of an installed TPU-MLIR. `arrays.json` holds, for each case of `CASES` and
each picture, the shape and the sha256 of the float32 tensor (little endian), or null where TPU-MLIR
refuses.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
from tpu_mlir.python.utils.preprocess import preprocess

FOLDER = Path(__file__).resolve().parent / "preprocess"
COLOUR = {"mean": "123.675,116.28,103.53", "scale": "0.0171,0.0175,0.0174"}
GRAY = {"mean": "127.5", "scale": "0.0078125", "pixel_format": "gray"}
SHORT = {"keep_aspect_ratio": True, "keep_ratio_mode": "short_side_scale"}
CASES: dict[str, tuple[list[int], dict]] = {
    # name: (shape of the network's input, options of model_transform)
    "defaults": ([1, 3, 64, 64], {}),
    "rgb": ([1, 3, 64, 64], {**COLOUR, "pixel_format": "rgb"}),
    "enlarged": ([1, 3, 200, 180], {**COLOUR, "pixel_format": "bgr"}),
    "crop_even": ([1, 3, 64, 63], {**COLOUR, "resize_dims": "80,81", "pixel_format": "rgb"}),
    "crop_odd": ([1, 3, 63, 61], {**COLOUR, "resize_dims": "75,70", "pixel_format": "bgr"}),
    "letterbox_center": (
        [1, 3, 64, 80],
        {**COLOUR, "keep_aspect_ratio": True, "pad_value": 114, "pixel_format": "rgb"},
    ),
    "letterbox_normal": (
        [1, 3, 81, 40],
        {**COLOUR, "keep_aspect_ratio": True, "pad_value": 7, "pad_type": "normal"},
    ),
    "letterbox_crop": (
        [1, 3, 64, 64],
        {**COLOUR, "keep_aspect_ratio": True, "resize_dims": "80,80", "pad_value": 3},
    ),
    "short_side": ([1, 3, 64, 64], {**COLOUR, **SHORT, "pixel_format": "rgb"}),
    "short_side_crop": ([1, 3, 64, 64], {**COLOUR, **SHORT, "resize_dims": "72,99"}),
    "gray": ([1, 1, 28, 30], GRAY),
    "gray_letterbox": ([1, 1, 28, 36], {**GRAY, "keep_aspect_ratio": True, "pad_value": 3}),
    "nhwc": ([1, 64, 70, 3], {**COLOUR, "channel_format": "nhwc", "pixel_format": "rgb"}),
    "nhwc_crop": ([1, 64, 70, 3], {**COLOUR, "channel_format": "nhwc", "resize_dims": "80,80"}),
    "rgba": (
        [1, 4, 64, 80],
        {"mean": "1,2,3,4", "scale": "0.1,0.2,0.3,0.4", "pixel_format": "rgba"},
    ),
}


def draw() -> None:
    """Pictures of several kinds: gradients with edges and a little noise."""
    y, x = np.mgrid[0:97, 0:131]
    noise = np.random.default_rng(1684).integers(0, 9, (97, 131, 3))
    planes = [(x * 2) % 256, (y * 3) % 256, ((x + y) // 16 % 2) * 200]
    picture = (np.clip(np.stack(planes, -1) + noise, 0, 255)).astype(np.uint8)
    alpha = np.concatenate([picture, 255 - picture[:, :, :1]], -1)
    files = {
        "colour.png": picture[::2, ::2],
        "photo.jpg": picture,
        "tall.bmp": picture[:40, :9],
        "gray.png": picture[:50, :50, 0],
        "alpha.png": alpha[:48, :64],
        "deep.png": picture[:24, :33].astype(np.uint16) * 257,
        "one_pixel.png": picture[:1, :1],
        "line.png": picture[:2, :100],
    }
    for name, content in files.items():
        cv2.imwrite(str(FOLDER / name), content)
    data = (FOLDER / "photo.jpg").read_bytes()
    exif = bytes.fromhex(
        "ffe1 0022 457869660000 4d4d002a00000008 0001 0112 0003 00000001 00060000 00000000"
    )
    (FOLDER / "turned.jpeg").write_bytes(data[:2] + exif + data[2:])


def main() -> None:
    """Write the folder."""
    FOLDER.mkdir(exist_ok=True)
    draw()
    arrays: dict[str, dict] = {}
    for case, (shape, options) in CASES.items():
        tool = preprocess()
        tool.config(**options, input_shapes=[shape])
        found: dict[str, list | None] = {}
        for file in sorted(FOLDER.iterdir()):
            if file.suffix == ".json":
                continue
            try:
                x = np.ascontiguousarray(tool.run(str(file)), "<f4")
            except cv2.error:
                found[file.name] = None
            else:
                found[file.name] = [list(x.shape), hashlib.sha256(x.tobytes()).hexdigest()]
        arrays[case] = {"shape": shape, "options": options, "arrays": found}
    (FOLDER / "arrays.json").write_text(json.dumps(arrays, indent=1) + "\n")


if __name__ == "__main__":
    main()
