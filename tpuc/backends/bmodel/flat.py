"""Flatbuffers to and from plain dicts, by the rows of `schema.py`.

Building uses the flatbuffers library. Reading is done here, because the library's Python half has
no verifier: every offset is checked against the buffer before it is followed, and the number of
elements visited is bounded by the buffer's size, so that a damaged buffer can neither be read out
of bounds nor make the reader run or allocate without limit.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import flatbuffers

from tpuc.backends.bmodel.schema import SCALARS, STRUCTS, TABLES, Field
from tpuc.errors import ArtifactError

__all__ = ["build", "parse"]

_MAX_DEPTH = 16


def build(root: str, table: Mapping[str, Any]) -> bytes:
    """Serialize a dict as table `root`; absent keys are absent fields.

    Raises
    ------
    KeyError : a key is no field of its table
    """
    builder = flatbuffers.Builder(4096)
    builder.Finish(_build_table(builder, root, table))
    return bytes(builder.Output())


def _build_table(builder: Any, name: str, table: Mapping[str, Any]) -> int:
    fields = TABLES[name]
    unknown = set(table) - {f.name for f in fields}
    if unknown:
        raise KeyError(f"table {name} has no field {sorted(unknown)[0]!r}")
    offsets = {
        f.name: _build_out_of_line(builder, f.kind, table[f.name])
        for f in fields
        if f.name in table and f.kind not in SCALARS and f.kind not in STRUCTS
    }
    builder.StartObject(len(fields))
    for slot, field in enumerate(fields):
        if field.name not in table:
            continue
        if field.name in offsets:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[field.name], 0)
        elif field.kind in STRUCTS:
            where = _build_struct(builder, field.kind, table[field.name])
            builder.PrependStructSlot(slot, where, 0)
        else:
            _PREPEND_SLOT[field.kind](builder, slot, table[field.name], _default(field))
    return builder.EndObject()


_PREPEND_SLOT: dict[str, Any] = {
    "i32": flatbuffers.Builder.PrependInt32Slot,
    "u32": flatbuffers.Builder.PrependUint32Slot,
    "u64": flatbuffers.Builder.PrependUint64Slot,
    "f32": flatbuffers.Builder.PrependFloat32Slot,
}
_PREPEND: dict[str, Any] = {
    "i32": flatbuffers.Builder.PrependInt32,
    "u32": flatbuffers.Builder.PrependUint32,
    "u64": flatbuffers.Builder.PrependUint64,
}


def _build_out_of_line(builder: Any, kind: str, value: Any) -> int:
    if kind == "string":
        return builder.CreateString(value)
    if kind == "[u8]":
        return builder.CreateByteVector(bytes(value))
    if not kind.startswith("["):
        return _build_table(builder, kind, value)
    item = kind[1:-1]
    if item in SCALARS or item in STRUCTS:
        size = _size(item)
        builder.StartVector(size, len(value), 8 if item in ("u64", "Binary") else 4)
        for element in reversed(value):
            if item in STRUCTS:
                _build_struct(builder, item, element)
            else:
                _PREPEND[item](builder, element)
        return builder.EndVector()
    offsets = [_build_out_of_line(builder, item, element) for element in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _build_struct(builder: Any, kind: str, members: tuple[int, ...]) -> int:
    wide = kind == "Binary"
    builder.Prep(8 if wide else 4, _size(kind))
    for member in reversed(members):
        _PREPEND["u64" if wide else "u32"](builder, member)
    return builder.Offset()


def _size(kind: str) -> int:
    return struct.calcsize(SCALARS.get(kind) or STRUCTS[kind])


def _default(field: Field) -> int | float:
    return field.default if field.kind == "f32" else int(field.default)


def parse(root: str, buffer: bytes | memoryview) -> dict[str, Any]:
    """Read table `root`: scalars always, other fields where present; structs are tuples of int.

    Raises
    ------
    ArtifactError : an offset leaves the buffer, a required field is missing, a string is not UTF-8,
        or the buffer refers to its parts more often than any writer would
    """
    return _Reader(memoryview(buffer)).root(root)


class _Reader:
    """One pass over one buffer; `budget` is the number of elements it may still visit."""

    def __init__(self, buffer: memoryview) -> None:
        self.buffer = buffer
        self.budget = len(buffer)

    def root(self, name: str) -> dict[str, Any]:
        return self.table(name, self.follow(0), 0)

    def unpack(self, form: str, pos: int) -> tuple[Any, ...]:
        if pos < 0 or pos + struct.calcsize(form) > len(self.buffer):
            raise ArtifactError(
                f"flatbuffer: offset {pos} is outside its {len(self.buffer)} bytes; "
                "expected a complete bmodel"
            )
        return struct.unpack_from(form, self.buffer, pos)

    def follow(self, pos: int) -> int:
        return pos + self.unpack("<I", pos)[0]

    def spend(self, count: int) -> None:
        self.budget -= count
        if self.budget < 0:
            raise ArtifactError("flatbuffer: has more elements than bytes; expected a bmodel")

    def table(self, name: str, pos: int, depth: int) -> dict[str, Any]:
        self.spend(1)
        if depth > _MAX_DEPTH:
            raise ArtifactError(f"flatbuffer: tables nest deeper than {_MAX_DEPTH}")
        vtable = pos - self.unpack("<i", pos)[0]
        vtable_size, size = self.unpack("<HH", vtable)
        found: dict[str, Any] = {}
        for slot, field in enumerate(TABLES[name]):
            entry = 4 + 2 * slot
            offset = self.unpack("<H", vtable + entry)[0] if entry + 2 <= vtable_size else 0
            if offset:
                if offset + 4 > size:
                    raise ArtifactError(
                        f"flatbuffer: field {name}.{field.name} starts at byte {offset} "
                        f"of a table of {size} bytes"
                    )
                found[field.name] = self.field(field.kind, pos + offset, depth)
            elif field.required:
                raise ArtifactError(f"flatbuffer: required field {name}.{field.name} is missing")
            elif field.kind in SCALARS:
                found[field.name] = _default(field)
        return found

    def field(self, kind: str, pos: int, depth: int) -> Any:
        if kind in SCALARS:
            return self.unpack(SCALARS[kind], pos)[0]
        if kind in STRUCTS:
            return self.unpack(STRUCTS[kind], pos)
        if kind == "string":
            return self.string(self.follow(pos))
        if kind.startswith("["):
            return self.vector(kind[1:-1], self.follow(pos), depth)
        return self.table(kind, self.follow(pos), depth + 1)

    def string(self, pos: int) -> str:
        raw = self.vector("u8", pos, 0)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise ArtifactError(f"flatbuffer: string at byte {pos} is not UTF-8") from error

    def vector(self, item: str, pos: int, depth: int) -> Any:
        count = self.unpack("<I", pos)[0]
        start = pos + 4
        self.spend(count)
        if item == "u8":
            return bytes(self.unpack(f"<{count}s", start)[0])
        if item in SCALARS:
            return list(self.unpack(f"<{count}{SCALARS[item][1]}", start))
        step = _size(item) if item in STRUCTS else 4
        self.unpack(f"<{count * step}x", start)
        return [self.field(item, start + step * i, depth) for i in range(count)]
