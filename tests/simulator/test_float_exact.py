"""Float ops computed in TPU-MLIR's own steps give its numbers, bit for bit."""

from pathlib import Path

import numpy as np
import pytest

from tests.golden.float_cases import made
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import lower
from tpuc.simulator import Program, interpret

FOLDER = Path(__file__).parents[1] / "golden" / "float_order"
with np.load(FOLDER / "ops.npz") as _held:
    EXPECTED = {name: _held[name] for name in _held.files}


@pytest.fixture(scope="module")
def lowered(bm1684x) -> Graph:
    return lower(load_mlir(FOLDER / "ops.mlir"), None, bm1684x, "F16").graph


@pytest.fixture(scope="module")
def feeds(lowered: Graph) -> dict[str, np.ndarray]:
    return {v.name: made(v.name, v.shape) for v in lowered.inputs}


def test_the_fixture_has_every_op(lowered: Graph) -> None:
    ops = {n.op for n in lowered.nodes} - {"Input", "Cast"}
    assert ops == {"Softmax", "Reduce", "Pool2D", "Active", "Interp"}
    assert len(EXPECTED) == 16


@pytest.mark.parametrize("name", EXPECTED)
def test_reference(name: str, lowered: Graph, feeds: dict[str, np.ndarray]) -> None:
    found = _interpreted(lowered, feeds)[name]
    np.testing.assert_array_equal(found.reshape(EXPECTED[name].shape), EXPECTED[name])


def test_interpolated_numbers_are_not_rounded() -> None:
    found = EXPECTED["resize_align_corners_Resize"]
    assert (found != found.astype(np.float16)).any()


def test_compiled(lowered: Graph, feeds: dict[str, np.ndarray]) -> None:
    found = Program(lowered, 2).run(feeds, observe=list(EXPECTED))
    wrong = [k for k, v in EXPECTED.items() if not np.array_equal(found[k].reshape(v.shape), v)]
    assert wrong == []


_RESULTS: dict[int, dict[str, np.ndarray]] = {}


def _interpreted(graph: Graph, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return _RESULTS.setdefault(id(graph), interpret(graph, feeds))
