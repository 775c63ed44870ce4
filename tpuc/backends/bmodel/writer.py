"""Writes a bmodel: the public container around the weights and tpuc's own program.

The program is the blob `NetParameter.net_stat` ("info for simulate, optional" in the public
schema), and `Model.version` names tpuc. The time is fixed, so that equal builds are equal bytes.

Without instructions the net has neither `sub_net` nor `cmd_group`, so that the vendor's runtime
refuses to load it instead of running what is no chip code, while `model_tool` prints it. With them
(`Native`) the coefficient segment is what they expect, the runtime executes the file, and the
program's own weights lie in the pages behind it, and then a SHA-256 over instructions and program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from tpuc.backends.bmodel.container import aligned, pack_container
from tpuc.backends.bmodel.program import Fact, Placed, encode_program, native_digest
from tpuc.backends.bmodel.schema import DATA_TYPES
from tpuc.backends.bmodel.weights import stored_size
from tpuc.errors import ArtifactError
from tpuc.files import write_whole
from tpuc.ir import Graph, Value

__all__ = ["FORMAT_VERSION", "Native", "write_bmodel"]

FORMAT_VERSION = "2.2"
_TIME = "Thu Jan  1 00:00:00 1970"
_MOST_COMMANDS = 1 << 20  # serial numbers have 20 bits
_BLOCK = 128
_GLOBAL_MEMORY = 0x1_0000_0000  # where BM168x chips see their DDR
_IN, _OUT = 1, 2  # Tensor.hidden
_USED_BY_CPU = 1  # Tensor.mem_type


class Native(Protocol):
    """Instructions of a chip; see `bm1684x.Compiled`."""

    @property
    def tiu(self) -> bytes: ...  # noqa: D102
    @property
    def dma(self) -> bytes: ...  # noqa: D102
    @property
    def counts(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def coefficients(self) -> bytes: ...  # noqa: D102
    @property
    def places(self) -> tuple[tuple[str, int, int], ...]: ...  # noqa: D102
    @property
    def context(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def addresses(self) -> Mapping[str, int]: ...  # noqa: D102


def write_bmodel(
    path: str | Path,
    graph: Graph,
    *,
    chip: str,
    facts: Mapping[str, Fact] | None = None,
    native: Native | None = None,
) -> None:
    """Write a lowered graph; whole or not at all, the same bytes for the same graph.

    Parameters
    ----------
    path : path
    graph : Graph
        Dialect `tpu`. The attributes of its Input nodes (preprocessing) are kept.
    chip : str
        The processor's name as it stands in the file: `BM1684X`.
    facts : mapping, optional
        Anything to keep with the program: recipe, mode, digests of the sources.
    native : Native, optional
        Instructions of the same graph for `chip`.

    Raises
    ------
    GraphError : the graph is not legal
    ArtifactError : the file can not be written
    """
    program, coefficients, places = encode_program(graph, facts or {})
    coefficients += bytes(aligned(len(coefficients)) - len(coefficients))
    if native is None:
        parameter = _parameter(graph, coefficients, places)
        parameter["net_stat"] = (len(coefficients), len(program))
        segment = coefficients + program
    else:
        _check_native(native, chip)
        parameter, segment = _native_parameter(graph, native)
        program += bytes(aligned(len(program)) - len(program)) + coefficients
        program += native_digest(native.tiu, native.dma, program)
        parameter["net_stat"] = (len(segment), len(program))
        segment += program
    segment += bytes(aligned(len(segment)) - len(segment))
    model = {
        "type": "B",
        "version": f"{FORMAT_VERSION}+tpuc{version('tpuc')}",
        "time": _TIME,
        "chip": chip,
        "net": [{"name": graph.name, "parameter": [parameter], "addr_mode": 0}],
        "neuron_size": parameter["ctx_size"],
        "device_num": 1,
    }
    write_whole(path, pack_container(model, segment))


def _check_native(native: Native, chip: str) -> None:
    """What a runtime would not notice, or would hang on."""
    if not chip.isalnum() or chip != chip.upper():
        raise ArtifactError(
            f"bmodel: chip is '{chip}'; expected its name as the runtime compares it, in capitals. "
            "Hint: the fact 'chip' of the processor"
        )
    for name, stream, count in zip(("TIU", "DMA"), (native.tiu, native.dma), native.counts):
        if not 0 < count < _MOST_COMMANDS or not stream or len(stream) % _BLOCK:
            raise ArtifactError(
                f"bmodel: {count} {name} commands in {len(stream)} bytes; expected 1 to "
                f"{_MOST_COMMANDS - 1} in a multiple of {_BLOCK}"
            )


def _native_parameter(graph: Graph, native: Native) -> tuple[dict[str, Any], bytes]:
    """Table NetParameter with commands, and the segment so far: coefficients, TIU, DMA."""
    segment = native.coefficients
    groups: dict[str, Any] = {}
    for name, stream, count in zip(("bdc", "gdma"), (native.tiu, native.dma), native.counts):
        groups[f"{name}_num"] = count
        groups[f"binary_{name}"] = (len(segment), len(stream))
        groups[f"{name}_cmd_byte"] = len(stream)
        segment += stream + bytes(aligned(len(stream)) - len(stream))
    places = [Placed(*place) for place in native.places]
    parameter = _parameter(graph, native.coefficients, places)
    for side in ("input_tensor", "output_tensor"):
        for tensor in parameter[side]:
            tensor["device_addr"] = native.addresses[tensor["name"]]
    start, size = native.context
    parameter |= {"ctx_addr": start, "ctx_size": size, "ctx_sizes": [size], "cmd_group": [groups]}
    parameter["sub_net"] = [
        {
            "cmd_group": [groups],
            "input_tensor": parameter["input_tensor"],
            "output_tensor": parameter["output_tensor"],
            "id": 0,
            "next_subnet_ids": [-1],
            "run_core": 1,
        }
    ]
    return parameter, segment


def _parameter(graph: Graph, coefficients: bytes, places: Sequence[Placed]) -> dict[str, Any]:
    """Table NetParameter: in global memory weights, then inputs and outputs, each on a page."""
    start = address = _GLOBAL_MEMORY + len(coefficients)
    tensors: dict[int, list[dict[str, Any]]] = {_IN: [], _OUT: []}
    for hidden, values in ((_IN, graph.inputs), (_OUT, graph.outputs)):
        for index, value in enumerate(values):
            tensors[hidden].append(_tensor(value, address, hidden, index))
            address += aligned(tensors[hidden][-1]["size"])
    size = address - start
    parameter: dict[str, Any] = {
        "input_tensor": tensors[_IN],
        "output_tensor": tensors[_OUT],
        "ctx_addr": start,
        "ctx_size": size,
        "ctx_sizes": [size],
        "core_num": 1,
    }
    if places:
        parameter["coeff_mem"] = {
            "address": _GLOBAL_MEMORY,
            "check_code": hashlib.sha256(coefficients).digest(),
            "binary_coeff": (0, len(coefficients)),
            "location": [{"name": p.name, "offset": p.offset, "size": p.size} for p in places],
        }
    return parameter


def _tensor(value: Value, address: int, hidden: int, index: int) -> dict[str, Any]:
    """Table Tensor; its scale is what to multiply with: 1 / scale for an integer input."""
    scale = 1.0 if value.quant is None else value.quant.scale
    return {
        "name": value.name,
        "data_type": DATA_TYPES[value.dtype],
        "device_addr": address,
        "size": stored_size(value.shape, value.dtype),
        "shape": [{"dim": [int(d) for d in value.shape]}],
        "mem_type": _USED_BY_CPU,
        "scale": 1.0 / scale if hidden == _IN else scale,
        "zero_point": 0 if value.quant is None else value.quant.zero_point,
        "hidden": hidden,
        "index": index,
    }
