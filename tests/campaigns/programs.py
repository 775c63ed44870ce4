"""Programs of bmodels as a stranger could make them: every digest fits, whatever the contents.

An example is JSON: the payload of a program with one more key, `case`, which says whose weights
belong to it.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.frontend.onnx_models import build, save
from tests.frontend.test_onnx_ops import CASES
from tpuc.artifacts import CalibrationTable, Range
from tpuc.backends.bmodel.program import PROGRAM_VERSION, decode_program, encode_program
from tpuc.errors import ArtifactError
from tpuc.frontend import read_onnx
from tpuc.ir import DType, Graph
from tpuc.lowering import lower
from tpuc.passes import canonicalize
from tpuc.pipeline.loading import simulation
from tpuc.processors import Processor

__all__ = ["read_and_run", "sound_programs"]

_MOST = 1 << 20
"""Elements of all tensors together: larger programs are read but not run."""

_HEADER = 64


@cache
def _cases() -> tuple[tuple[bytes, bytes], ...]:
    """Program and coefficients of every operator in INT8 and F16."""
    modes = ("INT8", "F16", "BF16", "F32")
    processor = Processor(
        "bm1684x", "BM1684X", modes, modes, "multiplier_shift", "F16", ("F16", "F32")
    )
    made: dict[bytes, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            graph = _imported(name, Path(folder))
            if graph is None:
                continue
            names = [v.name for n in graph.nodes for v in n.outputs]
            table = CalibrationTable(dict.fromkeys(names, Range(2.0, -2.0, 2.0)))
            for mode in ("INT8", "F16"):
                lowered = lower(graph.clone(), table, processor, mode).graph
                program, coefficients, _ = encode_program(lowered, {"mode": mode})
                made[program] = coefficients
    return tuple(made.items())


def _imported(name: str, folder: Path) -> Graph | None:
    body, data = CASES[name]
    graph = read_onnx(save(build(body, data), folder))
    canonicalize(graph)
    return graph if len(graph.nodes) > 1 else None


def sound_programs() -> list[bytes]:
    """Examples."""
    made = []
    for index, (program, _) in enumerate(_cases()):
        whole = json.loads(program[_HEADER:])
        made.append(json.dumps({"case": index, **whole}).encode())
    return made


def read_and_run(data: bytes) -> None:
    """Sign a payload as its author would, read it, and run what is small enough.

    Raises
    ------
    InputError : refused
    """
    try:
        whole = json.loads(data)
        case = whole.pop("case")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ArtifactError("no example") from error
    known = _cases()
    if not isinstance(case, int) or not 0 <= case < len(known):
        raise ArtifactError("no example")
    payload = json.dumps(whole).encode()
    graph, _, _ = decode_program(memoryview(_signed(payload)), memoryview(known[case][1]))
    values = [*graph.values(), *graph.weights()]
    if sum(math.prod(v.shape) for v in values) > _MOST:
        return
    feeds = {v.name: _made(v.shape, v.dtype) for v in graph.inputs}
    simulation(graph, "program", 2)(feeds, "all")


def _signed(payload: bytes) -> bytes:
    head = b"TPUCPROG" + PROGRAM_VERSION.to_bytes(4, "little") + bytes(4)
    size = len(payload).to_bytes(8, "little") + bytes(8)
    return head + size + hashlib.sha256(payload).digest() + payload


def _made(shape: tuple[int, ...], dtype: DType) -> np.ndarray[Any, Any]:
    numbers = np.arange(math.prod(shape), dtype=np.float32) % 7 - 3
    return numbers.reshape(shape)
