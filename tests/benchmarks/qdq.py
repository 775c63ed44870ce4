"""onnxruntime's INT8 of the same network: QDQ, per channel, u8 activations, s8 weights."""

from __future__ import annotations

import contextlib
import io
import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

__all__ = ["session"]


_METHODS = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: list[dict[str, np.ndarray]]) -> None:
        self._rest = iter(feeds)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._rest, None)


def _with_batch(source: Path, batch: int, target: Path) -> None:
    """The model with another batch, its flattening reshape included."""
    model = onnx.load(str(source))
    graph = model.graph
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    del graph.value_info[:]
    dense = {i for n in graph.node if n.op_type in ("Gemm", "MatMul") for i in n.input}
    for index, node in enumerate(n for n in graph.node if n.op_type == "Reshape"):
        if node.output[0] not in dense:
            continue
        name = f"flat_shape_{index}"
        graph.initializer.append(numpy_helper.from_array(np.array([batch, -1]), name))
        node.input[1] = name
    onnx.save(model, str(target))


def session(
    source: Path, batch: int, samples: np.ndarray, threads: int, folder: Path,
    method: str = "minmax",
) -> ort.InferenceSession:  # fmt: skip
    """Quantize on `samples` by method minmax or percentile, and open."""
    wide, quantized = folder / f"batch_{batch}.onnx", folder / f"qdq_{batch}.onnx"
    _with_batch(source, batch, wide)
    name = onnx.load(str(wide)).graph.input[0].name
    whole = np.resize(samples, (-(-len(samples) // batch) * batch, *samples.shape[1:]))
    feeds = [{name: whole[i : i + batch]} for i in range(0, len(whole), batch)]
    logging.disable(logging.WARNING)
    ort.set_default_logger_severity(4)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells how it calibrates
        quantize_static(
            str(wide),
            str(quantized),
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=_METHODS[method],
        )
    logging.disable(logging.NOTSET)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return ort.InferenceSession(str(quantized), options, providers=["CPUExecutionProvider"])
