"""Everything that tpuc reads from strangers, each as one function of bytes, with sound examples.

A reader may refuse what it is given with an `InputError` of one line; anything else is a finding.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import tpuc
from tests.backends.bmodel.graphs import small_graph
from tests.campaigns.programs import read_and_run, sound_programs
from tpuc.backends.bmodel import info_text, write_bmodel
from tpuc.calibration import table as calibration_table
from tpuc.dataset.arrays import read_feed
from tpuc.errors import InputError, ModelError
from tpuc.frontend import read_onnx
from tpuc.ir import DType, Graph, Value, with_defaults
from tpuc.ir.text import print_mlir, save_weights
from tpuc.ir.text_parse import parse_mlir
from tpuc.passes import canonicalize
from tpuc.search import qtable

__all__ = ["READERS", "Reader", "check"]

GOLDEN = Path(__file__).parents[1] / "golden"
DIGITS = Path(tpuc.__file__).parent / "zoo" / "digits.onnx"


@dataclass(frozen=True)
class Reader:
    """One kind of file.

    Parameters
    ----------
    read : callable (bytes)
        Reads, and does what follows before anything slow.
    sound : callable ()
        Examples to start from.
    """

    read: Callable[[bytes], object]
    sound: Callable[[], list[bytes]]


def check(name: str, data: bytes) -> str | None:
    """Read once; the refusal's message, or None if it was taken.

    Raises
    ------
    AssertionError : the refusal is no single line
    Exception : whatever else the reader lets through: a finding
    """
    try:
        READERS[name].read(data)
    except InputError as error:
        assert "\n" not in str(error).strip(), f"{name}: a refusal of several lines: {error}"
        return str(error)
    return None


@cache
def _folder() -> Path:
    kept = tempfile.TemporaryDirectory(prefix="tpuc-campaign-")
    _KEPT.append(kept)
    return Path(kept.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def _read_onnx(data: bytes) -> object:
    graph = read_onnx(_file("model.onnx", data))
    canonicalize(graph)
    return graph


def _onnx() -> list[bytes]:
    from tests.frontend.onnx_models import build, constants, weights

    small = [
        build("c = Conv(x, w) y = Relu(c)", {"w": weights(2, 4, 3, 3)}),
        build("s = Shape(x) r = Reshape(x, s) y = Softmax<axis=1>(r)"),
        build("y = Pad(x, p)", constants(p=[0, 0, 1, 1, 0, 0, 1, 1])),
        build("a = Slice(x, b, e) y = Concat<axis=1>(a, x)", constants(b=[0], e=[1])),
        build("t = Tile(x, r) y = MaxPool<kernel_shape=[2,2]>(t)", constants(r=[1, 1, 2, 2])),
    ]
    return [m.SerializeToString() for m in small] + [DIGITS.read_bytes()]


@cache
def _digits() -> Graph:
    graph = read_onnx(DIGITS)
    canonicalize(graph)
    return graph


def _read_mlir(data: bytes) -> object:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ModelError("not UTF-8") from error
    return parse_mlir(text, _weights())


@cache
def _weights() -> dict[str, np.ndarray]:
    path = _folder() / "w.npz"
    save_weights(_digits(), path)
    with np.load(path) as archive:
        return {key: archive[key] for key in archive.files}


def _mlir() -> list[bytes]:
    return [print_mlir(_digits(), "w.npz").encode()]


def _input() -> Graph:
    graph = Graph("net", "top")
    graph.add("Input", [], [Value("x", (1, 3, 4, 4), DType.F32)], with_defaults("Input", {}))
    return graph


def _read_npz(data: bytes) -> object:
    return read_feed((_file("sample.npz", data),), tuple(_input().nodes))


def _npz() -> list[bytes]:
    made = []
    for save in (np.savez, np.savez_compressed):
        for dtype in (np.float32, np.float64, np.int8):
            file = io.BytesIO()
            save(file, x=np.ones((1, 3, 4, 4), dtype))
            made.append(file.getvalue())
    return made


def _bmodel() -> list[bytes]:
    path = _file("sound.bmodel", b"")
    write_bmodel(path, small_graph(), chip="BM1684X", facts={"mode": "INT8"})
    return [path.read_bytes()]


def _table() -> list[bytes]:
    return [p.read_bytes() for p in sorted(GOLDEN.rglob("*cali_table*"))[:4]]


def _qtable() -> list[bytes]:
    return [b"# genetated time: now\n# op_name   quantize_mode\nconv F16\nrelu INT8\n"]


READERS: dict[str, Reader] = {
    "onnx": Reader(_read_onnx, _onnx),
    "mlir": Reader(_read_mlir, _mlir),
    "npz": Reader(_read_npz, _npz),
    "cali_table": Reader(lambda d: calibration_table.read(_file("table", d)), _table),
    "qtable": Reader(lambda d: qtable.read(_file("qtable", d)), _qtable),
    "bmodel": Reader(lambda d: info_text(_file("net.bmodel", d), every=True), _bmodel),
    "program": Reader(read_and_run, sound_programs),
}
"""`program`: a bmodel whose digests a stranger made fit, read and then run."""
