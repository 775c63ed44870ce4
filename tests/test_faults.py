"""What happens when the world is unkind: Ctrl-C, kill, a full disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TPUC = str(Path(sys.executable).parent / "tpuc")


def _start(home: Path, *args: str, limit: int | None = None) -> subprocess.Popen[str]:
    def before() -> None:
        if limit is not None:  # writing beyond it fails like a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    env = {**os.environ, "TPUC_CACHE": str(home / "cache")}
    return subprocess.Popen(
        [TPUC, "recipe=digits", *args],
        cwd=home,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )


def _parts(home: Path) -> list[Path]:
    """Files that a finished or failed run must not leave."""
    return [p for p in home.rglob("*") if p.name.endswith(".part")]


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, bytes]:
    home = tmp_path_factory.mktemp("expected")
    process = _start(home, "hydra.run.dir=run")
    _, err = process.communicate()
    assert process.returncode == 0, err
    names = ("digits_cali_table", "digits_bm1684x_int8.bmodel")
    return {n: (home / "run" / n).read_bytes() for n in names}


@pytest.mark.parametrize("after", [0.3, 1.2, 2.0])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_is_repeated_with_the_same_bytes(after, how, tmp_path, expected):
    process = _start(tmp_path, "hydra.run.dir=run")
    time.sleep(after)
    process.send_signal(how)
    _, err = process.communicate()
    if how == signal.SIGINT and process.returncode != 0:
        assert process.returncode in (130, -signal.SIGINT)
        assert "Traceback" not in err or process.returncode == -signal.SIGINT
        assert not _parts(tmp_path)
    for name, content in expected.items():  # whole or not there
        made = tmp_path / "run" / name
        assert not made.exists() or made.read_bytes() == content
    again = _start(tmp_path, "hydra.run.dir=run")
    _, err = again.communicate()
    assert again.returncode == 0, err
    for name, content in expected.items():
        assert (tmp_path / "run" / name).read_bytes() == content


@pytest.mark.parametrize("limit", [1_000, 20_000, 60_000])
def test_a_full_disk_is_one_line_and_leaves_no_part(limit, tmp_path):
    process = _start(tmp_path, "hydra.run.dir=run", limit=limit)
    _, err = process.communicate()
    assert process.returncode == 2, err
    assert "Traceback" not in err
    assert "too large" in err.lower()
    assert not _parts(tmp_path)
    assert not list(tmp_path.rglob("*.bmodel"))


def test_two_runs_at_once_share_a_cache(tmp_path, expected):
    both = [_start(tmp_path, f"hydra.run.dir=run{i}") for i in (0, 1)]
    for i, process in enumerate(both):
        _, err = process.communicate()
        assert process.returncode == 0, err
        for name, content in expected.items():
            assert (tmp_path / f"run{i}" / name).read_bytes() == content
