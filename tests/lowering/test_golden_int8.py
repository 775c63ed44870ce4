"""Every INT8 tensor of eight classifiers equals TPU-MLIR's, bit for bit, on TPU-MLIR's table."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.golden import networks
from tpuc.calibration import table as table_text
from tpuc.kernels.casts import to_float32
from tpuc.lowering import lower
from tpuc.simulator import Program
from tpuc.simulator.interpreter import interpret


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()


@pytest.mark.parametrize("name", networks.NAMES)
def test_every_tensor_of_the_reference_kernels_is_tpu_mlirs(name, golden, bm1684x):
    lowered = lower(golden(name), table_text.read(networks.table_file(name)), bm1684x).graph
    stored = interpret(lowered, {"input": networks.sample(0)})
    values = {v.name: v for v in lowered.values()}
    expected = networks.digests(name)
    assert set(expected) <= set(stored)
    wrong = [k for k, d in expected.items() if _digest(to_float32(stored[k], values[k])) != d]
    assert wrong == []


@pytest.mark.parametrize("name", networks.NAMES)
def test_every_tensor_of_the_compiled_program_is_tpu_mlirs(name, golden, bm1684x):
    lowered = lower(golden(name), table_text.read(networks.table_file(name)), bm1684x).graph
    expected = networks.digests(name)
    both = np.concatenate([networks.sample(0), networks.sample(1)])
    for batch in (networks.sample(0), both):
        found = Program(lowered, 2).run({"input": batch}, observe=list(expected))
        wrong = [k for k, d in expected.items() if _digest(found[k][:1]) != d]
        assert wrong == []
