"""Eight torchvision classifiers become the graph that TPU-MLIR makes of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.golden import networks

pytestmark = pytest.mark.filterwarnings("ignore")


def _ops(text: str) -> list[tuple[str, str]]:
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
    found = re.findall(r'"top\.(\w+)"\(.* loc\((#loc\d+)\)$', text, re.M)
    return [(op, names.get(loc, "")) for op, loc in found if op not in ("Weight", "None")]


def _lines(text: str) -> dict[str, str]:
    """Attributes and result types by op name."""
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
    pattern = r'"top\.(\w+)"\([^)]*\)( \{.*\})? : \(.*\) -> (.*) loc\((#loc\d+)\)$'
    return {
        names[loc]: f"{op}{attrs} {out}"
        for op, attrs, out, loc in re.findall(pattern, text, re.M)
        if op not in ("Weight", "None", "Input")
    }


@pytest.mark.parametrize("name", networks.NAMES)
def test_ops_names_and_order_are_tpu_mlirs(name, golden):
    graph = golden(name)
    assert [(n.op, n.name) for n in graph.nodes] == _ops(networks.mlir_text(name))


@pytest.mark.parametrize("name", networks.NAMES)
def test_attributes_and_shapes_are_tpu_mlirs(name, golden):
    from tpuc.ir.text import print_mlir

    ours = _lines(print_mlir(golden(name), "weights.npz"))
    assert ours == _lines(networks.mlir_text(name))


@pytest.mark.parametrize("name", networks.NAMES)
def test_float_result_is_onnxruntimes(name, golden, golden_onnx):
    import onnxruntime

    from tpuc.execute import run

    session = onnxruntime.InferenceSession(
        str(golden_onnx(name)), providers=["CPUExecutionProvider"]
    )
    x = np.concatenate([networks.sample(0), networks.sample(1)])
    expected = np.concatenate([session.run(None, {"input": x[i : i + 1]})[0] for i in (0, 1)])
    graph = golden(name)
    got = run(graph, {"input": x})[graph.outputs[0].name]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=2e-5 * np.abs(expected).max())
