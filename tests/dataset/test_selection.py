from __future__ import annotations

from pathlib import Path

import pytest

from tpuc.dataset import select_files
from tpuc.errors import DataError


def fill(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def chosen(folder: Path, num: int) -> list[str]:
    return [f.relative_to(folder).as_posix() for (f,) in select_files(folder, None, num)]


def test_folder_is_shuffled_as_the_vendor_does(tmp_path: Path) -> None:
    fill(tmp_path, [f"{i}.JPEG" for i in range(8)] + ["sub/a.png", "sub/deep/b.bmp", "notes.txt"])
    order = "1.JPEG sub/a.png sub/deep/b.bmp 6.JPEG 5.JPEG 3.JPEG 2.JPEG 4.JPEG 0.JPEG 7.JPEG"
    wanted = order.split()  # what TPU-MLIR's DataSelector gives for these files
    assert chosen(tmp_path, 0) == wanted
    assert chosen(tmp_path, 4) == wanted[:4]
    assert chosen(tmp_path, 99) == wanted


def test_list_keeps_its_order_and_finds_files_beside_it(tmp_path: Path) -> None:
    fill(tmp_path, ["b.npy", "a.npy", "sub/c.npy"])
    listing = tmp_path / "list.txt"
    listing.write_text(f"b.npy, a.npy\n\n  sub/c.npy,{tmp_path / 'a.npy'}  \na.npy,b.npy\n")
    a, b, c = tmp_path / "a.npy", tmp_path / "b.npy", tmp_path / "sub/c.npy"
    assert select_files(None, listing) == [(b, a), (c, a), (a, b)]
    assert select_files(None, listing, 2) == [(b, a), (c, a)]


def test_single_file(tmp_path: Path) -> None:
    fill(tmp_path, ["a.npz"])
    assert select_files(tmp_path / "a.npz", None, 5) == [(tmp_path / "a.npz",)]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder or file"):
        select_files(tmp_path / "none", None)
    fill(tmp_path, ["notes.txt"])
    with pytest.raises(DataError, match=r"has no samples; expected files of type \.jpg"):
        select_files(tmp_path, None)
    with pytest.raises(DataError, match="give either"):
        select_files(None, None)
    with pytest.raises(DataError, match="give either"):
        select_files(tmp_path, tmp_path)


def test_folder_mixes_kinds(tmp_path: Path) -> None:
    fill(tmp_path, ["a.jpg", "b.PNG", "c.npz"])
    with pytest.raises(
        DataError, match=r"mixes kinds of files: picture \(a\.jpg\), npz \(c\.npz\)"
    ):
        select_files(tmp_path, None)


def test_list_names_a_missing_file(tmp_path: Path) -> None:
    fill(tmp_path, ["a.jpg"])
    listing = tmp_path / "list.txt"
    listing.write_text("a.jpg\n\nb.jpg\n")
    with pytest.raises(DataError, match=r"list\.txt, line 3: no such file: b\.jpg"):
        select_files(None, listing)


def test_list_with_an_unknown_type_or_mixed_kinds(tmp_path: Path) -> None:
    fill(tmp_path, ["a.jpg", "a.npy", "a.tif"])
    listing = tmp_path / "list.txt"
    listing.write_text("a.jpg\na.tif\n")
    with pytest.raises(DataError, match=r"line 2: unknown type '\.tif'"):
        select_files(None, listing)
    listing.write_text("a.jpg,a.npy\n")
    with pytest.raises(DataError, match="mixes kinds"):
        select_files(None, listing)


def test_list_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        select_files(None, tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(DataError, match="names no sample"):
        select_files(None, tmp_path / "empty.txt")
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match="is not a text file"):
        select_files(None, tmp_path / "picture.jpg")
