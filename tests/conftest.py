"""Fixtures that several test folders share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.golden import networks
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.ir import Graph
from tpuc.passes import canonicalize
from tpuc.processors import Processor

settings.register_profile("tpuc", deadline=None)  # a busy machine is no failure
settings.load_profile("tpuc")


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Graph]:
    """Imports a golden network, once in a session."""
    known: dict[str, Graph] = {}
    folder = tmp_path_factory.mktemp("golden")

    def load(name: str) -> Graph:
        if name not in known:
            graph = read_onnx(networks.onnx_file(name, folder))
            canonicalize(graph)
            known[name] = graph
        return known[name].clone()

    return load


@pytest.fixture(scope="session")
def golden_onnx(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes a golden network's ONNX file."""
    folder = tmp_path_factory.mktemp("onnx")
    return lambda name: networks.onnx_file(name, folder)


@pytest.fixture(scope="session")
def bm1684x() -> Processor:
    """The processor that most tests build for."""
    modes = ("INT8", "F16", "BF16", "F32")
    mixes = ("F16", "F32")
    form = "multiplier_shift"
    facts = (modes, modes, form, "F16", mixes)
    return Processor("bm1684x", "BM1684X", *facts, wide_products=True, patch_sides=(14, 0))
