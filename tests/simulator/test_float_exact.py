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


def _expected(mode: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"ops_{mode}.npz") as held:
        return {name: held[name] for name in held.files}


@pytest.fixture(scope="module", params=["F16", "BF16"])
def build(request, bm1684x) -> tuple[Graph, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The lowered graph, its inputs, and what TPU-MLIR makes of them."""
    graph = lower(load_mlir(FOLDER / "ops.mlir"), None, bm1684x, request.param).graph
    feeds = {v.name: made(v.name, v.shape) for v in graph.inputs}
    return graph, feeds, _expected(request.param)


def _wrong(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> list[str]:
    return [k for k, v in expected.items() if not np.array_equal(found[k].reshape(v.shape), v)]


def test_the_fixture_has_every_op(build) -> None:
    graph, _, expected = build
    ops = {n.op for n in graph.nodes} - {"Input", "Cast"}
    norms = {"LayerNorm", "InstanceNorm"}
    assert ops == {"Softmax", "Reduce", "Pool2D", "Active", "Interp", "Relu"} | norms
    assert len(expected) == 19


def test_reference(build) -> None:
    graph, feeds, expected = build
    assert _wrong(interpret(graph, feeds), expected) == []


def test_compiled(build) -> None:
    graph, feeds, expected = build
    assert _wrong(Program(graph, 2).run(feeds, observe=list(expected)), expected) == []


@pytest.mark.parametrize(
    "name", ["resize_align_corners_Resize", "limited_Relu", "layer_norm_LayerNormalization"]
)
def test_what_is_not_rounded(name: str) -> None:
    found = _expected("F16")[name]
    assert (found != found.astype(np.float16)).any()
