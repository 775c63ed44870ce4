"""Small traced models: the same graph as TPU-MLIR's, the same numbers as torch's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tpuc.execute import run
from tpuc.frontend import read_torchscript
from tpuc.ir import Graph, Node
from tpuc.ir.text_parse import load_mlir
from tpuc.passes import canonicalize

FOLDER = Path(__file__).parents[1] / "golden" / "torchscript"
NAMES = sorted(p.stem for p in FOLDER.glob("*.pt"))
SPELLING = {"Slice": {"axes", "ends", "hasparamConvert_axes", "offset"}}
"""Attributes that spell one slice in several ways; the shape and the numbers must agree instead."""


def imported(name: str) -> Graph:
    return read_torchscript(FOLDER / f"{name}.pt", [[1, 4, 8, 8]])


def operands(node: Node) -> list[str | None]:
    names = [None if v is None or v.is_weight else v.name for v in node.inputs]
    while names and names[-1] is None:
        names.pop()
    return names


@pytest.mark.parametrize("name", NAMES)
def test_graph_is_the_vendors(name: str) -> None:
    graph, golden = imported(name), load_mlir(FOLDER / f"{name}.mlir")
    canonicalize(graph)
    ours, theirs = ({n.name: n for n in g.nodes} for g in (graph, golden))
    assert [(n.op, n.name) for n in ours.values() if n.name not in theirs] == []
    assert [(n.op, n.name) for n in theirs.values() if n.name not in ours] == []
    assert graph.attrs["platform"] == golden.attrs["platform"] == "TORCH"
    assert [v.name for v in graph.outputs] == [v.name for v in golden.outputs]
    for key, node in ours.items():
        wanted = theirs[key]
        assert (node.op, node.output.shape) == (wanted.op, wanted.output.shape), key
        assert operands(node) == operands(wanted), key
        free = SPELLING.get(node.op, set())
        mine, their = ({k: v for k, v in n.attrs.items() if k not in free} for n in (node, wanted))
        assert node.op == "Input" or mine == their, key
        for one, other in zip(node.inputs, wanted.inputs):
            if one is not None and one.data is not None:
                assert other is not None and other.data is not None
                np.testing.assert_array_equal(one.data.reshape(-1), other.data.reshape(-1), key)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_torchs(name: str) -> None:
    model = torch.jit.load(str(FOLDER / f"{name}.pt"))
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        wanted = model(x)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    graph = imported(name)
    for _ in ("raw", "canonical"):
        results = run(graph, {graph.inputs[0].name: x.numpy()})
        assert len(graph.outputs) == len(wanted)
        for value, y in zip(graph.outputs, wanted):
            np.testing.assert_allclose(
                results[value.name], y.numpy(), rtol=1e-5, atol=1e-5, err_msg=str(value.producer)
            )
        canonicalize(graph)
