"""The stage cache, and results that one pass makes together."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tpuc.cache import StageCache
from tpuc.errors import ArtifactError
from tpuc.files import locked

EVERY = {name: {"method": name} for name in ("kl", "max", "mse")}


def note(folders, calls):
    calls.append(sorted(folders))
    for name, folder in folders.items():
        (folder / "table").write_text(name)


def hidden(folder: Path) -> list[Path]:
    return [p for p in folder.rglob(".*") if p != folder]


def test_a_result_is_computed_once(tmp_path):
    cache, calls = StageCache(tmp_path, tmp_path / "scratch"), []
    for known in (False, True):
        place, cached = cache.get("stage", {"a": 1}, lambda f: calls.append(f))
        assert cached is known
        assert place.is_dir()
    assert len(calls) == 1
    assert cache.find("stage", {"a": 1}) == place
    assert cache.find("stage", {"a": 2}) is None


def test_one_pass_makes_all_that_are_missing(tmp_path):
    cache, calls = StageCache(tmp_path, tmp_path / "scratch"), []
    cache.get("stage", EVERY["max"], lambda folder: note({"max": folder}, calls))
    for name in ("kl", "mse", "max"):
        place, cached = cache.get_one_of("stage", EVERY, name, lambda f: note(f, calls))
        assert (place / "table").read_text() == name
        assert cached is (name != "kl")
        assert cache.find("stage", EVERY[name]) == place
    assert calls == [["max"], ["kl", "mse"]]
    assert not hidden(tmp_path)


def test_without_a_cache_only_the_wanted_one_is_made(tmp_path):
    cache, calls = StageCache(None, tmp_path), []
    place, cached = cache.get_one_of("stage", EVERY, "mse", lambda f: note(f, calls))
    assert (place, cached, calls) == (tmp_path / "stage", False, [["mse"]])


def test_a_failed_pass_leaves_nothing(tmp_path):
    cache = StageCache(tmp_path, tmp_path / "scratch")

    def fail(folders):
        (folders["kl"] / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get_one_of("stage", EVERY, "kl", fail)
    assert not list((tmp_path / "stage").iterdir())
    assert not cache.get_one_of("stage", EVERY, "kl", lambda f: note(f, []))[1]


def test_runs_side_by_side_wait_for_the_first(tmp_path):
    calls: list[list[str]] = []
    found: dict[str, str] = {}

    def slow(folders):
        time.sleep(0.2)
        note(folders, calls)

    def work(name):
        place, _ = StageCache(tmp_path, tmp_path).get_one_of("stage", EVERY, name, slow)
        found[name] = (place / "table").read_text()

    threads = [threading.Thread(target=work, args=(name,)) for name in EVERY]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [sorted(EVERY)]
    assert found == {name: name for name in EVERY}


def test_a_lock_ends_with_its_process(tmp_path):
    lock = tmp_path / "lock"
    code = (
        "import os, sys, pathlib\n"
        "from tpuc.files import locked\n"
        f"with locked(pathlib.Path({str(lock)!r})):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False, env=os.environ)
    assert lock.exists()
    start = time.perf_counter()
    with locked(lock):
        assert time.perf_counter() - start < 5
    assert not lock.exists()


def test_a_place_that_can_not_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    cache = StageCache(tmp_path / "file", tmp_path / "scratch")
    with pytest.raises(ArtifactError, match="cache=null"):
        cache.get("stage", {}, lambda folder: None)
