"""Small damage: to bytes, to lines of text and to trees of JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

__all__ = ["mutate"]

_NUMBERS = [0, 1, -1, 2, 3, 7, 8, 127, 128, 255, 256, 65535, 2**31 - 1, -(2**31), 2**32, 2**62]
_WORDS = [b"nan", b"inf", b"-1", b"1e999", b"0", b"999999999999999999999", b"\x00", b"\xff", b"#"]
_SCALARS: list[Any] = [*_NUMBERS, None, True, "", "x", 0.5, -1e300, [], [1], {}, {"float": "nan"}]


def mutate(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """A damaged copy: of its tree if it is JSON, of its bytes otherwise."""
    if data.startswith(b"{"):
        try:
            tree = json.loads(data)
        except ValueError:
            pass
        else:
            for _ in range(chance.choice((1, 1, 1, 2, 4))):
                _tree(tree, chance)
            return json.dumps(tree).encode()
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        chance.choice(_BYTES)(damaged, others, chance)
    return bytes(damaged)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a tree."""
    found: list[tuple[Any, Any]] = []
    left = [tree]
    while left:
        node = left.pop()
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            found.append((node, key))
            if isinstance(node[key], dict | list):
                left.append(node[key])
    return found


def _tree(tree: Any, chance: random.Random) -> None:
    places = [p for p in _places(tree) if p[1] != "case"]
    if not places:
        return
    node, key = chance.choice(places)
    kind = chance.randrange(6)
    value = node[key]
    if kind == 0 and isinstance(node, list):
        del node[key]
    elif kind == 1 and isinstance(node, list):
        other, place = chance.choice(places)
        node.insert(key, json.loads(json.dumps(other[place])))
    elif kind == 2 and isinstance(value, int) and not isinstance(value, bool):
        node[key] = value + chance.choice((-2, -1, 1, 2, 64))
    elif kind == 3:
        other, place = chance.choice(places)
        node[key] = json.loads(json.dumps(other[place]))
    elif kind == 4 and isinstance(value, list):
        chance.shuffle(value)
    else:
        node[key] = json.loads(json.dumps(chance.choice(_SCALARS)))


def _flip(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _number(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    size = chance.choice((1, 2, 4, 8))
    if len(data) >= size:
        place = chance.randrange(len(data) - size + 1)
        number = chance.choice(_NUMBERS) % (1 << 8 * size)
        data[place : place + size] = number.to_bytes(size, "little")


def _cut(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    del data[start : start + chance.randrange(1, 64)]


def _truncate(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _repeat(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    start = chance.randrange(len(data) + 1)
    part = data[start : start + chance.randrange(1, 256)]
    data[start:start] = part * chance.choice((1, 2, 16))


def _splice(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    other = chance.choice(others)
    start, place = chance.randrange(len(other) + 1), chance.randrange(len(data) + 1)
    part = other[start : start + chance.randrange(1, 512)]
    data[place : place + len(part)] = part


def _word(data: bytearray, others: list[bytes], chance: random.Random) -> None:
    place = chance.randrange(len(data) + 1)
    word = chance.choice(_WORDS)
    data[place : place + chance.choice((0, len(word)))] = word


_BYTES: list[Callable[[bytearray, list[bytes], random.Random], None]] = [
    *(_flip, _number, _cut, _truncate, _repeat, _splice, _word)
]
