"""The container: 64-byte header, flatbuffer, binary segment.

| byte | type | content |
|-----:|------|---------|
| 0 | u32 | magic 0xFF55AAEE |
| 4 | u32 | size of this header, 64 |
| 8 | u32 | size of the flatbuffer, zero padding up to a multiple of 4096 included |
| 12 | u64 | size of the binary segment, which reaches to the end of the file |
| 20 | 4 B | `tpuc` in files of ours, else zero (reserved by the vendor) |
| 24 | 32 B | SHA-256 over header (these 32 bytes as zero) and flatbuffer; zero in others' files |
| 56 | 8 B | zero |

A blob's place is relative to the binary segment and a multiple of 4096. In files of ours every byte
is covered: header and flatbuffer by the digest above, the coefficients by `CoeffMem.check_code`,
the program by the digest at its own start, and bytes between blobs must be zero.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpuc.backends.bmodel.flat import build, parse
from tpuc.errors import ArtifactError

__all__ = ["ALIGNMENT", "Container", "aligned", "pack_container", "read_container"]

ALIGNMENT = 4096
_MAGIC = 0xFF55AAEE
_HEADER = struct.Struct("<IIIQ4s32s8x")
_TAG = b"tpuc"
_NO_DIGEST = bytes(32)


@dataclass(frozen=True)
class Container:
    """A bmodel taken apart.

    Parameters
    ----------
    model : mapping
        Table Model as nested dicts.
    segment : memoryview
        The binary segment.
    is_ours : bool
        Written by tpuc, digest checked.
    size : int
        Bytes of the file.
    """

    model: Mapping[str, Any]
    segment: memoryview
    is_ours: bool
    size: int

    def blob(self, place: tuple[int, int], what: str) -> memoryview:
        """The bytes of one blob.

        Raises
        ------
        ArtifactError : the place is outside the binary segment
        """
        start, size = place
        if start + size > len(self.segment):
            raise ArtifactError(
                f"{what}: bytes {start} to {start + size} are outside the binary segment "
                f"of {len(self.segment)} bytes"
            )
        return self.segment[start : start + size]


def aligned(size: int) -> int:
    """`size` rounded up to a multiple of 4096."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def pack_container(model: Mapping[str, Any], segment: bytes) -> Iterator[bytes]:
    """The bytes of a file of ours, in order."""
    buffer = build("Model", model)
    buffer += bytes(aligned(_HEADER.size + len(buffer)) - _HEADER.size - len(buffer))
    sizes = (_MAGIC, _HEADER.size, len(buffer), len(segment), _TAG)
    digest = hashlib.sha256(_HEADER.pack(*sizes, _NO_DIGEST) + buffer).digest()
    yield _HEADER.pack(*sizes, digest)
    yield buffer
    yield segment


def read_container(path: str | Path) -> Container:
    """Read and check a bmodel of ours or of TPU-MLIR.

    Raises
    ------
    ArtifactError : the file can not be read, is truncated, is no bmodel, or a digest does not fit
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ArtifactError(f"'{path}': can not be read ({reason}); expected a bmodel") from error
    try:
        return _take_apart(memoryview(data))
    except ArtifactError as error:
        raise ArtifactError(f"'{path}': {error}. Hint: write the bmodel again") from error


def _take_apart(data: memoryview) -> Container:
    if len(data) < _HEADER.size:
        raise ArtifactError(f"has {len(data)} bytes; expected a header of {_HEADER.size}")
    magic, header_size, buffer_size, segment_size, tag, digest = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise ArtifactError(f"starts with 0x{magic:08X}; expected a bmodel's 0x{_MAGIC:08X}")
    total = _HEADER.size + buffer_size + segment_size
    if header_size != _HEADER.size or total != len(data):
        raise ArtifactError(
            f"header speaks of {header_size} + {buffer_size} + {segment_size} bytes, "
            f"the file has {len(data)}; it is truncated or damaged"
        )
    buffer = data[_HEADER.size : _HEADER.size + buffer_size]
    is_ours = tag == _TAG
    if is_ours:
        _check_digest(data[: _HEADER.size], buffer, digest)
    elif any(data[20 : _HEADER.size]):
        raise ArtifactError("reserved bytes of the header are not zero; it is damaged")
    model = parse("Model", buffer)
    if not is_ours and _TAG.decode() in model["version"]:
        raise ArtifactError("the digest of the header is missing; it is damaged")
    return Container(model, data[_HEADER.size + buffer_size :], is_ours, len(data))


def _check_digest(header: memoryview, buffer: memoryview, digest: bytes) -> None:
    clean = bytearray(header)
    clean[24:56] = _NO_DIGEST
    found = hashlib.sha256(clean)
    found.update(buffer)
    if found.digest() != digest:
        raise ArtifactError("SHA-256 of header and flatbuffer does not fit; it is damaged")
