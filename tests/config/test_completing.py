"""What Tab offers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TPUC = Path(sys.executable).parent / "tpuc"
ROOT = Path(__file__).parents[2]


def offered(line: str, cwd: Path, shell: str = "bash") -> list[str]:
    done = subprocess.run(
        [TPUC, "-sc", f"query={shell}"],
        cwd=cwd,
        env={**os.environ, "COMP_LINE": line},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_recipe_names(tmp_path):
    names = sorted(p.stem for p in (ROOT / "recipes").glob("*.yaml"))
    assert offered("tpuc recipe=", tmp_path) == [f"recipe={n}" for n in names]
    assert offered("tpuc recipe=di", tmp_path) == ["recipe=digits"]
    assert offered("tpuc rec", tmp_path) == ["recipe="]


def test_recipes_of_a_folder_of_ones_own(tmp_path):
    (tmp_path / "my" / "recipes").mkdir(parents=True)
    (tmp_path / "my" / "recipes" / "mine.yaml").write_text("# @package _global_\n")
    assert "recipe=mine" in offered("tpuc --config-dir my recipe=", tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tpuc recipe=digits quantize=", {"quantize=int8", "quantize=f16"}),
        ("tpuc recipe=digits calibration.me", {"calibration.method="}),
        ("tpuc -m recipe=digits calibration=k", {"calibration=kl"}),
        ("tpuc recipe=digits ", {"model=", "recipe=", "threads=", "calibration."}),
    ],
)
def test_groups_options_and_keys(line, words, tmp_path):
    assert words <= set(offered(line, tmp_path))


def test_only_keys_and_groups_are_offered(tmp_path):
    words = offered("tpuc ", tmp_path)
    assert len(words) == len(set(words))
    groups = {p.name for p in (ROOT / "conf").iterdir() if p.is_dir()} - {"hydra"}
    assert {f"{g}=" for g in groups} <= set(words)
    assert not [w for w in words if w.startswith("recipes") or w.endswith("/") or w == "conf"]


def test_each_shell_can_be_told(tmp_path):
    for shell in ("bash", "zsh", "fish"):
        script = subprocess.run(
            [TPUC, "--shell-completion", f"install={shell}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "tpuc" in script
    assert "recipe=digits" in offered("tpuc recipe=", tmp_path, "fish")
