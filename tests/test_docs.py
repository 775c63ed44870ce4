"""The pages of docs/: generated ones are current, links lead somewhere, every command runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts.make_docs import keys, pages
from tests.test_cli import BIN
from tpuc.tools.vendor_commands.options import PROGRAMS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PARAMETERS = DOCS.parent / "tests/golden/tools/manual_parameters.json"
PAGES = sorted(p.name for p in DOCS.glob("*.md"))


def blocks(page: str) -> list[str]:
    """Shell blocks of a page, without the indentation of a list."""
    found = re.findall(r"^( *)```sh\n(.*?)^ *```", (DOCS / page).read_text(), re.M | re.S)
    return ["\n".join(line[len(indent) :] for line in text.splitlines()) for indent, text in found]


@pytest.mark.parametrize("page", ["keys.md", "migration.md", "ops.md", "dataflow.svg"])
def test_generated_pages_are_current(page):
    assert (DOCS / page).read_text() == pages()[page], "python -m scripts.make_docs"


def test_every_parameter_of_the_manuals_tables_is_in_the_migration_page():
    text = (DOCS / "migration.md").read_text()
    for program, names in json.loads(PARAMETERS.read_text()).items():
        section = re.search(rf"^## {program}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
        assert section is not None, program
        for name in names:
            cell = f"`{name}`" if "." in name else f"`--{name}`"
            assert f"| {cell} |" in section[1], f"{program} {name}"


def test_every_key_is_explained_and_no_other():
    about = yaml.safe_load((DOCS / "keys.yaml").read_text())
    assert {key for key, _, _ in keys()} == set(about)


def test_sections_of_the_manual_name_keys_and_every_option_of_its_tables_has_one():
    manual = yaml.safe_load((DOCS / "manual.yaml").read_text())
    known = {key for key, _, _ in keys()}
    assert {key for named in manual.values() for key in named} <= known
    sections = {"run_calibration": "run_calibration Parameter Introduction",
                "run_sensitive_layer": "2. run_sensitive_layer",
                "fp_forward": "3. fp_forward"}  # fmt: skip
    for program, names in json.loads(PARAMETERS.read_text()).items():
        for name in names:
            option = PROGRAMS[program].options.get(name)
            if option is not None and option.key in known:
                assert option.key in manual[sections[program]], (program, name)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", (DOCS / page).read_text()):
        assert (DOCS / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_are_there(page):
    named = re.findall(r"`((?:tpuc|tests|conf|scripts|csrc)/[\w/.*]+)`", (DOCS / page).read_text())
    for path in named:
        if "NAME" not in path:
            assert list(DOCS.parent.glob(path)), path


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)])
def test_every_command_runs(page, tmp_path):
    env = {**os.environ, "TPUC_CACHE": str(tmp_path / "cache"),
           "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}  # fmt: skip
    for block in blocks(page):
        done = subprocess.run(
            ["bash", "-e"], input=block, cwd=tmp_path, env=env, text=True, capture_output=True
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
