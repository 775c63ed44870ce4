"""Errors as text."""

from __future__ import annotations

import pytest

from tpuc.errors import GraphError, InputError, TpucError


@pytest.mark.parametrize("kind", [TpucError, InputError, GraphError])
def test_names_of_strangers_stay_in_one_line(kind: type[TpucError]) -> None:
    name = "Re\nlu\x1b[2J\r\u2028Conv\x9b"
    assert str(kind(f"op '{name}': no such op\n")) == "op 'Re lu [2J Conv ': no such op"


def test_letters_of_any_language_stay() -> None:
    assert str(InputError("Schicht 'größe/卷积': fehlt")) == "Schicht 'größe/卷积': fehlt"
