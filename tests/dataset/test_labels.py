"""Classes of samples from lists, names and folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.dataset.graphs import input_graph
from tpuc.dataset import find_labels, open_samples, read_classes, select_files
from tpuc.dataset.samples import Samples
from tpuc.errors import DataError
from tpuc.frontend import Preprocess

SYNSET = ["n01440764 tench, Tinca tinca", "n01531178 goldfinch", "n01537544 indigo bunting"]


def samples(folder: Path, *names: str) -> Samples:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    listing = folder / "list.txt"
    listing.write_text("\n".join(names))
    return open_samples(select_files(None, listing), input_graph({"x": (1, 3, 4, 4)}, Preprocess()))


def test_a_synset_of_the_file_name(tmp_path: Path) -> None:
    found = samples(tmp_path, "n01537544_1.jpg", "n01440764_9572.jpg")
    assert find_labels(found, None, SYNSET).tolist() == [2, 0]


def test_folders_are_classes(tmp_path: Path) -> None:
    found = samples(tmp_path, "dog/1.png", "cat/1.png", "dog/2.png")
    assert find_labels(found, None, []).tolist() == [1, 0, 1]
    assert find_labels(found, None, ["dog", "bird", "cat"]).tolist() == [0, 2, 0]


def test_folders_that_are_numbers_are_those_classes(tmp_path: Path) -> None:
    found = samples(tmp_path, "10/1.png", "9/1.png")
    assert find_labels(found, None, []).tolist() == [10, 9]


@pytest.mark.parametrize("text", ["file,class\na.png,1\nb.png,0\n", "b.png n01440764\na.png 1\n"])
def test_a_list(tmp_path: Path, text: str) -> None:
    listing = tmp_path / "labels.csv"
    listing.write_text(text)
    assert find_labels(samples(tmp_path, "a.png", "b.png"), listing, SYNSET).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png,1\n", "no line for 1 of 2 samples, the first is 'b.png'"),
        ("a.png,1\nb.png,trout\n", "line 2: no class 'trout'"),
        ("a.png,1,2\n", "line 1: 'a.png,1,2'; expected FILE,CLASS"),
    ],
)
def test_lists_that_do_not_fit(tmp_path: Path, text: str, message: str) -> None:
    listing = tmp_path / "labels.csv"
    listing.write_text(text)
    with pytest.raises(DataError, match=message):
        find_labels(samples(tmp_path, "a.png", "b.png"), listing, SYNSET)


def test_names_that_say_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no classes are known"):
        find_labels(samples(tmp_path, "a.png"), None, [])
    with pytest.raises(DataError, match=r"neither its folder .* nor its name"):
        find_labels(samples(tmp_path, "a.png"), None, SYNSET)


def test_classes_file(tmp_path: Path) -> None:
    file = tmp_path / "synset_words.txt"
    file.write_text("\n".join(SYNSET) + "\n\n")
    assert read_classes(file) == SYNSET
    file.write_text("\n")
    with pytest.raises(DataError, match="names no class"):
        read_classes(file)
