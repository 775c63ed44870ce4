"""tpuc's own program: Graph[tpu] as bytes.

It is run by tpuc's simulator, is no chip code and never looks like it: 64 bytes (magic `TPUCPROG`,
u32 version, u32 zero, u64 size of the payload, 8 zero bytes, SHA-256 of the payload), then the
payload, UTF-8 JSON:

    {"facts": {name: value},
     "graph": {"name", "attrs",
               "values":  [[name, shape, dtype, scale or null, zero_point], ...],
               "weights": [[name, shape, dtype, scale or null, zero_point, offset], ...],
               "nodes":   [[op, [operand, ...], [value, ...], {attribute: value}], ...],
               "outputs": [value, ...]}}

An operand is the index of a value, -1 - the index of a weight, or null if absent; an offset counts
from the start of the coefficient segment. Not compressed, so that its bytes depend on nothing but
the graph.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tpuc.backends.bmodel.attributes import check_attrs, decode_attrs, encode_attrs
from tpuc.backends.bmodel.weights import WEIGHT_ALIGNMENT, decode_weight, encode_weight
from tpuc.errors import ArtifactError, GraphError
from tpuc.ir import DType, Graph, QuantType, Value, verify
from tpuc.ir.shapes import check_shapes
from tpuc.progress import steps

__all__ = [
    "PROGRAM_VERSION",
    "Fact",
    "Placed",
    "decode_program",
    "encode_program",
    "native_digest",
    "program_size",
]

PROGRAM_VERSION = 1
_HEADER = struct.Struct("<8sIIQ8x32s")
_MAGIC = b"TPUCPROG"

Fact = bool | int | float | str


@dataclass(frozen=True)
class Placed:
    """Where a weight lies in the coefficient segment, in bytes."""

    name: str
    offset: int
    size: int


def encode_program(
    graph: Graph, facts: Mapping[str, Fact]
) -> tuple[bytes, bytes, tuple[Placed, ...]]:
    """Serialize a lowered graph.

    Returns
    -------
    program : bytes
    coefficients : bytes
        Length a multiple of 64.
    places : tuple of Placed
        One per weight, in order of first use.

    Raises
    ------
    GraphError : the graph is no legal Graph[tpu], or holds what the format has no place for
    """
    verify(graph, "tpu")
    coefficients = bytearray()
    places, weights = [], []
    for value in steps(graph.weights(), "writing"):
        raw = encode_weight(value)
        places.append(Placed(value.name, len(coefficients), len(raw)))
        weights.append([*_describe(value), len(coefficients)])
        coefficients += raw + bytes(-len(raw) % WEIGHT_ALIGNMENT)
    number = {id(v): i for i, v in enumerate(graph.values())}
    number |= {id(v): -1 - i for i, v in enumerate(graph.weights())}
    content = {
        "name": graph.name,
        "attrs": encode_attrs(graph.attrs, "module"),
        "values": [_describe(v) for v in graph.values()],
        "weights": weights,
        "nodes": [
            [
                n.op,
                [None if v is None else number[id(v)] for v in n.inputs],
                [number[id(v)] for v in n.outputs],
                encode_attrs(check_attrs(n.op, n.attrs, str(n)), str(n)),
            ]
            for n in graph.nodes
        ],
        "outputs": [number[id(v)] for v in graph.outputs],
    }
    whole = {"facts": encode_attrs(facts, "facts"), "graph": content}
    payload = json.dumps(whole, separators=(",", ":"), allow_nan=False, sort_keys=True).encode()
    digest = hashlib.sha256(payload).digest()
    header = _HEADER.pack(_MAGIC, PROGRAM_VERSION, 0, len(payload), digest)
    return header + payload, bytes(coefficients), tuple(places)


def _describe(value: Value) -> list[Any]:
    scale = None if value.quant is None else float(value.quant.scale)
    zero_point = 0 if value.quant is None else int(value.quant.zero_point)
    return [value.name, [int(d) for d in value.shape], str(value.dtype), scale, zero_point]


def decode_program(
    program: memoryview, coefficients: memoryview
) -> tuple[Graph, dict[str, Fact], str]:
    """Read a program back.

    Returns
    -------
    graph : Graph
        Weights are read-only; those of F32 and integer types share memory with `coefficients`.
    facts : dict
    digest : str
        SHA-256 of the payload, hexadecimal.

    Raises
    ------
    ArtifactError : no program, another version, a digest that does not fit, or an illegal graph
    """
    payload, digest = _payload(program)
    try:
        whole = json.loads(payload.tobytes())
        graph = _graph(whole["graph"], coefficients)
        facts: dict[str, Any] = decode_attrs(whole["facts"])
        return check_shapes(verify(graph, "tpu")), facts, digest.hex()
    except (GraphError, ArtifactError) as error:
        raise ArtifactError(f"program: {error}") from error
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        raise ArtifactError(
            f"program: is malformed ({type(error).__name__}: {error})".splitlines()[0]
        ) from error


def program_size(blob: memoryview) -> int:
    """Bytes of the program that a blob begins with, as its header has it; at most the blob's."""
    if len(blob) < _HEADER.size:
        return len(blob)
    return min(_HEADER.size + int(_HEADER.unpack_from(blob)[3]), len(blob))


def native_digest(*parts: bytes | memoryview) -> bytes:
    """SHA-256 over instructions, program and its weights, one after another."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.digest()


def _payload(program: memoryview) -> tuple[memoryview, bytes]:
    if len(program) < _HEADER.size:
        raise ArtifactError(f"program: has {len(program)} bytes; expected at least {_HEADER.size}")
    magic, version, zero, size, digest = _HEADER.unpack_from(program)
    payload = program[_HEADER.size :]
    if magic != _MAGIC or zero or size != len(payload) or any(program[24:32]):
        raise ArtifactError("program: its header is damaged")
    if version != PROGRAM_VERSION:
        raise ArtifactError(
            f"program: has version {version}; expected {PROGRAM_VERSION}. "
            "Hint: compile again with this tpuc, or use the tpuc that wrote it"
        )
    if hashlib.sha256(payload).digest() != digest:
        raise ArtifactError("program: SHA-256 does not fit; it is damaged")
    return payload, digest


def _graph(content: Mapping[str, Any], coefficients: memoryview) -> Graph:
    graph = Graph(_text(content["name"]), "tpu", decode_attrs(content["attrs"]))
    values = [_value(row) for row in content["values"]]
    weights = []
    for *row, offset in content["weights"]:
        weight = _value(row)
        weight.data = decode_weight(coefficients, _whole(offset), weight.shape, weight.dtype)
        weights.append(weight)

    def operand(index: int | None) -> Value | None:
        if index is None:
            return None
        return values[_whole(index)] if index >= 0 else weights[-1 - _whole(index)]

    for op, inputs, outputs, attrs in content["nodes"]:
        made = [values[_index(i)] for i in outputs]
        where = f"{op} '{made[0].name if made else ''}'"
        checked = check_attrs(_text(op), decode_attrs(attrs), where)
        graph.add(op, [operand(i) for i in inputs], made, checked)
    graph.outputs = [values[_index(i)] for i in content["outputs"]]
    return graph


def _value(row: list[Any]) -> Value:
    name, shape, dtype, scale, zero_point = row
    dims = tuple(_index(d) for d in shape)
    return Value(_text(name), dims, DType(dtype), _quant(DType(dtype), scale, zero_point))


def _quant(dtype: DType, scale: float | None, zero_point: object) -> QuantType | None:
    """Kernels rely on a zero point that the type can hold."""
    if scale is None:
        return None
    low, high = (0, 0) if dtype.is_float else dtype.qrange
    if not low <= _whole(zero_point) <= high:
        raise ValueError(f"zero point {zero_point} is out of the range of {dtype}")
    return QuantType(float(scale), _whole(zero_point))


def _whole(number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{number!r} is no integer")
    return number


def _index(number: object) -> int:
    if _whole(number) < 0 or _whole(number) >= 1 << 40:
        raise ValueError(f"{number} is out of range")
    return _whole(number)


def _text(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text")
    return text
