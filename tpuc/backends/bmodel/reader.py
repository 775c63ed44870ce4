"""Reads a bmodel: the summary of anyone's, the graph of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpuc.backends.bmodel.container import ALIGNMENT, Container, aligned, read_container
from tpuc.backends.bmodel.program import Fact, decode_program, native_digest, program_size
from tpuc.backends.bmodel.schema import DATA_TYPES
from tpuc.backends.bmodel.writer import FORMAT_VERSION
from tpuc.errors import ArtifactError
from tpuc.ir import Graph

__all__ = ["Bmodel", "NetInfo", "Summary", "TensorInfo", "read_bmodel", "read_summary"]

_DIGEST = 32  # bytes of a SHA-256
_TYPE_NAMES = {code: str(dtype) for dtype, code in DATA_TYPES.items()} | {7: "ui32"}


@dataclass(frozen=True)
class TensorInfo:
    """An input or output as the container names it; real = scale * (q - zero_point)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int


@dataclass(frozen=True)
class NetInfo:
    """One stage of one net; sizes in bytes.

    `is_ours` says that it holds a program of tpuc.
    """

    name: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    weight_bytes: int
    weight_digest: str
    weights: tuple[tuple[str, int, int], ...]  # name, offset, size
    instruction_bytes: int
    runtime_bytes: int
    is_ours: bool


@dataclass(frozen=True)
class Summary:
    """What a bmodel is, without its contents."""

    path: Path
    version: str
    chip: str
    time: str
    size: int
    nets: tuple[NetInfo, ...]


@dataclass(frozen=True)
class Bmodel:
    """A bmodel of ours, ready for the simulator.

    Parameters
    ----------
    summary : Summary
    graph : Graph
        Dialect `tpu`; weights are read-only arrays.
    facts : mapping
        As given to `write_bmodel`.
    program_digest : str
        SHA-256 of the program, hexadecimal.
    streams : (bytes, bytes), optional
        Chip instructions: TIU and DMA.
    """

    summary: Summary
    graph: Graph
    facts: Mapping[str, Fact]
    program_digest: str
    streams: tuple[bytes, bytes] | None = None


def read_summary(path: str | Path) -> Summary:
    """What is in a bmodel, ours or TPU-MLIR's; digests are checked.

    Raises
    ------
    ArtifactError : the file can not be read or is damaged
    """
    return _with_path(path, lambda container: _summary(Path(path), container))


def read_bmodel(path: str | Path) -> Bmodel:
    """Read a bmodel that tpuc wrote.

    Raises
    ------
    ArtifactError : the file can not be read, is damaged anywhere, or holds no program of tpuc
    """
    return _with_path(path, lambda container: _bmodel(Path(path), container))


def _with_path(path: str | Path, then: Any) -> Any:
    container = read_container(path)
    try:
        return then(container)
    except ArtifactError as error:
        raise ArtifactError(f"'{path}': {error}") from error


def _summary(path: Path, container: Container) -> Summary:
    model = container.model
    if model["type"] != "B":
        raise ArtifactError(f"model type is {model['type']!r}; expected 'B'")
    nets = [
        _net(net["name"], parameter, container)
        for net in model["net"]
        for parameter in net.get("parameter", ())
    ]
    return Summary(
        path, model["version"], model["chip"], model["time"].strip(), container.size, tuple(nets)
    )


def _net(name: str, parameter: Mapping[str, Any], container: Container) -> NetInfo:
    memory = parameter.get("coeff_mem", {})
    coefficients = container.blob(memory.get("binary_coeff", (0, 0)), "coefficients")
    digest = hashlib.sha256(coefficients).digest() if memory else b""
    if memory.get("check_code", digest) != digest and not memory["encrypt_mode"]:
        raise ArtifactError(f"net '{name}': SHA-256 of the coefficients does not fit")
    commands = [
        *parameter.get("cmd_group", ()),
        *(
            group
            for subnet in parameter.get("sub_net", ())
            for core in subnet.get("core_commands", ())
            for group in core.get("gdma_tiu_commands", ())
        ),
    ]
    places = [g.get(k, (0, 0)) for g in commands for k in ("binary_bdc", "binary_gdma")]
    return NetInfo(
        name,
        tuple(_tensor(t, is_input=True) for t in parameter["input_tensor"]),
        tuple(_tensor(t, is_input=False) for t in parameter["output_tensor"]),
        len(coefficients),
        digest.hex(),
        tuple((p["name"], p["offset"], p["size"]) for p in memory.get("location", ())),
        sum(len(container.blob(place, "instructions")) for place in places),
        sum(parameter.get("ctx_sizes", ())) or parameter["ctx_size"],
        container.is_ours and "net_stat" in parameter,
    )


def _tensor(table: Mapping[str, Any], is_input: bool) -> TensorInfo:
    code, factor = table["data_type"], table["scale"]
    return TensorInfo(
        table["name"],
        _TYPE_NAMES.get(code, f"code {code}"),
        tuple(table["shape"][0].get("dim", ())) if table.get("shape") else (),
        1.0 / factor if is_input and factor else factor,  # the container has 1 / scale there
        table["zero_point"],
    )


def _bmodel(path: Path, container: Container) -> Bmodel:
    summary = _summary(path, container)
    if len(summary.nets) != 1 or not summary.nets[0].is_ours:
        raise ArtifactError(
            f"version {summary.version} for {summary.chip} holds no program of tpuc; expected a "
            "bmodel that tpuc wrote. Hint: chip instructions run with model_runner or on the chip"
        )
    if not summary.version.startswith(f"{FORMAT_VERSION}+tpuc"):
        raise ArtifactError(f"version is {summary.version!r}; expected {FORMAT_VERSION}+tpuc")
    parameter = container.model["net"][0]["parameter"][0]
    places = [parameter.get("coeff_mem", {}).get("binary_coeff", (0, 0)), parameter["net_stat"]]
    coefficients, program = (container.blob(p, "blob") for p in places)
    commands = [
        group[key]
        for group in parameter.get("cmd_group", ())
        for key in ("binary_bdc", "binary_gdma")
    ]
    _check_gaps(container.segment, [places[0], *commands, places[1]])
    streams = [bytes(container.blob(place, "instructions")) for place in commands]
    if streams:  # the chip's coefficients are packed otherwise; the program has its own
        whole, digest = program[:-_DIGEST], program[-_DIGEST:]
        if native_digest(*streams, whole) != digest:
            raise ArtifactError("SHA-256 of the instructions does not fit; it is damaged")
        size = program_size(whole)
        program, coefficients = whole[:size], whole[aligned(size) :]
    graph, facts, program_digest = decode_program(program, coefficients)
    both = (streams[0], streams[1]) if streams else None
    return Bmodel(summary, graph, facts, program_digest, both)


def _check_gaps(segment: memoryview, places: Iterable[tuple[int, int]]) -> None:
    """Every byte of the segment belongs to one blob, or is padding to the next page, and zero."""
    end = 0
    for start, size in [*places, (len(segment), 0)]:
        if start < end or start - end >= ALIGNMENT or any(segment[end:start]):
            raise ArtifactError(f"bytes {end} to {start} of the binary segment are not padding")
        end = start + size
