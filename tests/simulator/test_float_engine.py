"""The float network on C kernels: every tensor, from any thread, and single ops run again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.golden import networks
from tpuc.errors import DataError
from tpuc.execute import FloatRunner
from tpuc.ir import Graph, Value, with_defaults
from tpuc.lowering import float_twin
from tpuc.simulator import FloatEngine, run_node


def _batch(count: int) -> dict[str, np.ndarray]:
    return {"input": np.concatenate([networks.sample(i) for i in range(count)])}


def _seen(engine, batch) -> dict[str, np.ndarray]:
    seen: dict[str, np.ndarray] = {}
    engine.run(batch, lambda name, array: seen.update({name: np.array(array)}))
    return seen


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "densenet121", "shufflenet_v2_x0_5"])
def test_every_tensor_of_the_network_is_there_and_near_torchs(name, golden):
    graph, batch = golden(name), _batch(2)
    theirs: dict[str, np.ndarray] = {}
    FloatRunner(graph).run(batch, lambda n, a: theirs.update({n: np.array(a)}))
    ours = _seen(FloatEngine(float_twin(graph)), batch)
    assert list(ours) == [v.name for v in graph.values()]
    for value, array in ours.items():
        assert array.shape == theirs[value].shape
        largest = max(np.abs(theirs[value]).max(), 1e-3)
        assert np.abs(array - theirs[value]).max() < 1e-4 * largest, value


def test_named_tensors_come_with_the_outputs(golden):
    graph = golden("resnet18")
    engine = FloatEngine(float_twin(graph), 2)
    wanted = graph.nodes[5].name
    found = engine.run(_batch(1), [wanted])
    assert set(found) == {wanted, graph.outputs[0].name}
    assert (found[wanted] == _seen(engine, _batch(1))[wanted]).all()


def test_many_threads_see_the_same_numbers(golden):
    engine = FloatEngine(float_twin(golden("squeezenet1_1")))
    alone = [_seen(engine, _batch(n)) for n in (1, 2, 3)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda n: _seen(engine, _batch(n)), (1, 2, 3)))
    for one, other in zip(alone, together):
        assert all((one[name] == other[name]).all() for name in one)


def test_samples_do_not_depend_on_the_batch(golden):
    engine = FloatEngine(float_twin(golden("efficientnet_b0")))
    whole, first = _seen(engine, _batch(3)), _seen(engine, _batch(1))
    assert all((whole[name][: len(first[name])] == first[name]).all() for name in first)


def _rounded(x: np.ndarray, threshold: float) -> np.ndarray:
    scale = np.float32(127.0 / threshold)
    return np.clip(np.rint(x * scale), -128, 127).astype(np.float32) / scale


@pytest.mark.parametrize("threshold", [0.5, 3.0])
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_an_op_run_again_is_the_op_on_rounded_operands(name, threshold, golden):
    twin = float_twin(golden(name))
    batch = _batch(2)
    engine = FloatEngine(twin)
    tensors = _seen(engine, batch)
    checked = set()

    def visit(node, again) -> None:
        if node.op == "Input" or node.op in checked:
            return
        checked.add(node.op)
        rerun = again()
        reference = tensors[node.name].reshape(2, -1).astype(np.float64)
        np.testing.assert_allclose(rerun.norms, np.abs(reference).sum(1), rtol=1e-6)
        wide = node.inputs
        operands = [
            None if v is None else v.data if v.is_weight else _rounded(tensors[v.name], threshold)
            for v in wide
        ]
        made = run_node(node, operands)[0].reshape(2, -1)
        expected = np.sqrt(np.square(made - reference).sum(1))
        np.testing.assert_allclose(rerun.errors(threshold), expected, rtol=2e-3, atol=1e-4)

    engine.walk(batch, visit)
    assert {"Conv2D", "Pool2D"} <= checked


def _mixing_network() -> Graph:
    """Concatenates along the batch: samples can not run side by side."""
    graph = Graph("net")
    x, y = Value("input", (1, 2, 4, 4)), Value("joined", (2, 2, 4, 4))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    graph.add("Concat", [x, x], [y], with_defaults("Concat", {"axis": 0}))
    graph.outputs = [y]
    return graph


def test_a_network_that_mixes_samples_runs_them_one_by_one():
    x = np.random.default_rng(0).standard_normal((3, 2, 4, 4)).astype(np.float32)
    engine = FloatEngine(float_twin(_mixing_network()))
    seen = _seen(engine, {"input": x})
    assert (seen["joined"] == np.repeat(x, 2, axis=0)).all()
    with pytest.raises(DataError, match="can not run at once"):
        engine.walk({"input": x}, lambda node, again: None)


def test_a_missing_input_is_named(golden):
    engine = FloatEngine(float_twin(golden("resnet18")))
    with pytest.raises(DataError, match="inputs given"):
        engine.run({"picture": np.zeros((1, 3, 64, 64), np.float32)}, lambda n, a: None)
