"""kl tables of eight classifiers against TPU-MLIR's on the same samples."""

from __future__ import annotations

import pytest

from tests.golden import networks
from tpuc.calibration import Options, calibrate
from tpuc.calibration import table as table_text
from tpuc.lowering import float_twin
from tpuc.simulator import FloatEngine


def _batches(size: int):
    import numpy as np

    for start in range(0, 8, size):
        rows = [networks.sample(i) for i in range(start, min(start + size, 8))]
        yield {"input": np.concatenate(rows)}


def _calibrate(graph, size: int, threads: int = 2, methods=("kl",)):
    engine = FloatEngine(float_twin(graph), 2)
    return calibrate(graph, engine, _batches(size), Options(tuple(methods), 8, threads=threads))


def _order() -> list[int]:
    """TPU-MLIR's shuffled order of the eight files; the histogram's width depends on it."""
    import random

    order = [f"{i:03d}" for i in range(8)]
    random.Random(1684).shuffle(order)
    return [int(i) for i in order]


@pytest.mark.parametrize("name", networks.NAMES)
def test_thresholds_are_tpu_mlirs(name, golden, monkeypatch):
    order = _order()
    original = networks.sample
    monkeypatch.setattr(networks, "sample", lambda i: original(order[i]))
    ours = _calibrate(golden(name), 4).tables["kl"].ranges
    theirs = table_text.read(networks.table_file(name)).ranges
    assert list(ours) == list(theirs)
    far = [
        k
        for k, r in theirs.items()
        if abs(ours[k].threshold - r.threshold) > 1e-4 * r.threshold
        or abs(ours[k].max - r.max) > 1e-4 * max(abs(r.max), 1e-3)
        or abs(ours[k].min - r.min) > 1e-4 * max(abs(r.min), 1e-3)
    ]
    assert len(far) <= 0.02 * len(theirs), far


def test_the_batch_size_does_not_matter(golden):
    one, many = (_calibrate(golden("squeezenet1_1"), size).tables["kl"] for size in (1, 8))
    for name, row in one.ranges.items():
        assert many.ranges[name].threshold == pytest.approx(row.threshold, rel=1e-4)


def test_the_number_of_threads_does_not_matter(golden):
    methods = ("kl", "mse", "aciq_gauss", "aciq_laplace", "percentile9999", "max")
    one = _calibrate(golden("squeezenet1_1"), 4, 1, methods).tables
    two = _calibrate(golden("squeezenet1_1"), 4, 2, methods).tables
    assert one == two
