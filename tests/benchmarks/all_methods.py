"""Calibrates by every method in one pass over the data.

python -m tests.benchmarks.all_methods NETWORK.mlir PICTURES COUNT OUT_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from tpuc.calibration import Options, calibrate
from tpuc.calibration import table as table_text
from tpuc.dataset import open_samples, select_files
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import float_twin
from tpuc.simulator import FloatEngine

METHODS = ("kl", "mse", "max", "percentile9999", "aciq_gauss", "aciq_laplace")


def main(network: Path, pictures: Path, count: int, out: Path) -> None:
    """Write `out/METHOD` for each method."""
    graph = load_mlir(network)
    samples = open_samples(select_files(pictures, None), graph)[:count]
    engine = FloatEngine(float_twin(graph), 1)  # batches run side by side
    options = Options(METHODS, len(samples))
    tuning = next(samples[:5].batches(5))
    result = calibrate(graph, engine, samples.batches(4), options, tuning)
    for method, table in result.tables.items():
        (out / method).write_text(table_text.to_text(table))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
