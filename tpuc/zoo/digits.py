"""Handwritten digits: a small trained CNN that ships with tpuc, and scikit-learn's labelled
pictures.

`scripts/train_digits.py` trains the network; its test pictures are never used for calibration.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tpuc.zoo.folders import made_once

__all__ = ["TEST_SHARE", "make_calibration", "make_model", "make_test", "split"]

TEST_SHARE = 5
"""Every fifth picture is for testing."""

_CALIBRATION = 100
_SET = "samples.npz"


def make_model(folder: Path) -> Path:
    """Path of the ONNX file inside the package."""
    return Path(__file__).resolve().parent / "digits.onnx"


def split() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(train pictures, labels), (test pictures, labels); float32 (N, 1, 8, 8) in [0, 1]."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pictures = (data.images / 16.0).astype(np.float32)[:, None]
    test = np.arange(len(pictures)) % TEST_SHARE == 0
    return (pictures[~test], data.target[~test]), (pictures[test], data.target[test])


def make_calibration(folder: Path) -> Path:
    """Set of samples from the training part."""
    return made_once(folder / "digits_calibration", lambda f: _write(f, 0, _CALIBRATION)) / _SET


def make_test(folder: Path) -> Path:
    """Set of labelled samples from the test part."""
    return made_once(folder / "digits_test", lambda f: _write(f, 1, None)) / _SET


def _write(folder: Path, part: int, count: int | None) -> None:
    pictures, labels = split()[part]
    np.savez(folder / _SET, input=pictures[:count], labels=labels[:count].astype(np.int64))
