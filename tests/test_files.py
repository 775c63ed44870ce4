from __future__ import annotations

import pytest

from tpuc.errors import ArtifactError
from tpuc.files import write_whole


def test_text_bytes_and_chunks(tmp_path):
    write_whole(tmp_path / "new" / "a", "é")
    write_whole(tmp_path / "b", b"\x00")
    write_whole(tmp_path / "c", iter([b"1", b"2"]))
    assert (tmp_path / "new" / "a").read_bytes() == "é".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00" and (tmp_path / "c").read_text() == "12"


def test_an_interrupted_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a"
    write_whole(path, "old")

    def chunks():
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, chunks())
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="can not be written") as caught:
        write_whole(tmp_path / "file" / "below", "x")
    assert "\n" not in str(caught.value) and "Hint" in str(caught.value)
