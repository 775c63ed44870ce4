"""tpuc-tool info --disassemble and --plan: a bmodel's instructions on the terminal."""

from __future__ import annotations

import re

import pytest

from tests.backends.bm1684x.cases import together
from tpuc.backends.bm1684x import compile_graph, cycles_in_all
from tpuc.backends.bmodel import write_bmodel
from tpuc.tool import main

NAMES = ["conv 3x3, two rows of channels", "add", "max pool"]


@pytest.fixture(scope="module")
def graph():
    return together(NAMES)


@pytest.fixture(scope="module")
def compiled(graph):
    return compile_graph(graph)


@pytest.fixture(scope="module")
def path(tmp_path_factory, graph, compiled):
    path = tmp_path_factory.mktemp("instructions") / "net.bmodel"
    write_bmodel(path, graph, chip="BM1684X", native=compiled)
    return path


@pytest.fixture
def info(capsys):
    def run(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["info", *map(str, words)])
        return end.value.code, *capsys.readouterr()

    return run


def test_every_command_is_a_line_with_its_tensor(info, path, compiled) -> None:
    status, out, _ = info(path, "--disassemble")
    lines = out.splitlines()
    assert status == 0 and len(lines) == sum(compiled.counts) - 2 + 1
    assert sum(line.startswith("tiu") for line in lines) == compiled.counts[0] - 1
    for name in NAMES:
        assert any(line.endswith(f"{name}/out") for line in lines)
    total = f"predicted {cycles_in_all(compiled):,} cycles"
    assert lines[-1].startswith(total) and "at work: TIU" in lines[-1]


def test_stages_are_printed(info, path, compiled) -> None:
    status, out, _ = info(path, "--plan")
    assert status == 0
    for stage in ("global memory", "local memory", "schedule"):
        assert re.search(rf"^{stage}: ", out, re.M)
    assert f"{len(compiled.coefficients)} bytes of coefficients, {compiled.context[1]} of" in out
    assert f"{cycles_in_all(compiled)} cycles predicted" in out


@pytest.mark.parametrize("word", ["--disassemble", "--plan"])
def test_a_file_without_instructions_is_refused(info, tmp_path, graph, word: str) -> None:
    plain = tmp_path / "plain.bmodel"
    write_bmodel(plain, graph, chip="BM1684X")
    status, out, told = info(plain, word)
    assert (status, out) == (2, "") and told.count("\n") == 1
    assert "has no chip instructions" in told and "Hint" in told


def test_what_has_no_instructions_to_print_is_refused(info, tmp_path, path) -> None:
    table = tmp_path / "net_cali_table"
    table.write_text("# a table\n")
    for words in (
        (tmp_path, "--plan"),
        (tmp_path, "--disassemble"),
        (table, "--plan"),
        (table, "--disassemble"),
        (path, "--plan", "--disassemble"),
        ("--compare", tmp_path, tmp_path, "--plan"),
        (tmp_path / "nothing.bmodel", "--plan"),
    ):
        status, out, told = info(*words)
        assert (status, out) == (2, "") and told.count("\n") == 1, words
