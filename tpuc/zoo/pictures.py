"""Photographs that come inside scikit-image and scikit-learn, cropped into a few dozen samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tpuc.zoo.folders import made_once

__all__ = ["make_pictures", "photographs"]

_SKIMAGE = ("astronaut", "cat", "coffee", "rocket")
_SKLEARN = ("china.jpg", "flower.jpg")
_CROPS = 9
_SHARE = 0.6


def make_pictures(folder: Path) -> Path:
    """Folder of PNG pictures: each photograph whole, and a grid of overlapping crops of it."""
    return made_once(folder / "pictures", _fill)


def _fill(folder: Path) -> None:
    import cv2

    for name, photo in photographs().items():
        cv2.imwrite(str(folder / f"{name}.png"), photo)
        height, width = photo.shape[:2]
        tall, wide = int(height * _SHARE), int(width * _SHARE)
        for crop in range(_CROPS):
            top = (height - tall) * (crop // 3) // 2
            left = (width - wide) * (crop % 3) // 2
            part = photo[top : top + tall, left : left + wide]
            cv2.imwrite(str(folder / f"{name}_{crop}.png"), part)


def photographs() -> dict[str, np.ndarray]:
    """Photographs by name, uint8 BGR (H, W, 3)."""
    import cv2
    import skimage
    import sklearn.datasets

    found: dict[str, np.ndarray] = {}
    data = Path(skimage.__file__).parent / "data"
    for name in _SKIMAGE:
        for path in sorted(data.glob(f"{name}.*")):
            picture = cv2.imread(str(path))
            if picture is not None:
                found[name] = picture
    pictures = Path(sklearn.datasets.__file__).parent / "images"
    for file in _SKLEARN:
        picture = cv2.imread(str(pictures / file))
        if picture is not None:
            found[file.split(".")[0]] = picture
    if not found:
        raise ModuleNotFoundError("pictures of scikit-image", name="scikit-image")
    return found
