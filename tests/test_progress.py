"""Bars: on a terminal, for what takes long, one at a time."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

NESTED = """
import time
from tpuc.progress import progress, steps
for i in progress(iter(range(4)), 4, "outer"):
    for j in steps([1, 2], "inner"):
        time.sleep({pause})
print("done")
"""


def on_a_terminal(code: str) -> str:
    """Standard error of a program whose standard error is a terminal."""
    main, side = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=side, env=env, text=True
    )
    os.close(side)
    drawn = b""
    try:
        while piece := os.read(main, 65536):
            drawn += piece
    except OSError:  # the other side is closed
        pass
    os.close(main)
    out, _ = process.communicate()
    assert process.returncode == 0, drawn.decode()
    assert out == "done\n"
    return drawn.decode()


def test_a_long_loop_draws_the_outermost_bar():
    drawn = on_a_terminal(NESTED.format(pause=0.15))
    assert "outer" in drawn
    assert "inner" not in drawn


def test_a_short_loop_draws_nothing():
    assert on_a_terminal(NESTED.format(pause=0)) == ""


def test_elsewhere_nothing_is_drawn():
    done = subprocess.run(
        [sys.executable, "-c", NESTED.format(pause=0.15)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_bar_ends_with_its_loop(monkeypatch):
    """An error inside lets the next loop draw."""
    from tpuc import progress as module

    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    with pytest.raises(ValueError, match="stop"):
        for _ in module.steps([1, 2], "first"):
            assert module._shown.locked()
            raise ValueError("stop")
    import gc

    gc.collect()
    assert list(module.steps([1, 2], "second")) == [1, 2]
    assert not module._shown.locked()
