"""What the rules write with: commands, coefficients, places in local and global memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from tpuc.backends.bm1684x.command import (
    BF16,
    F16,
    GLOBAL,
    LANE_BYTES,
    LANES,
    LOCAL,
    S8,
    Command,
    Element,
    Local,
    Shape,
    up,
)
from tpuc.errors import UnsupportedError
from tpuc.ir import DType, Node, Value

__all__ = ["NEURONS", "Emitter", "NoRoom", "Remote", "dense", "element_of", "pieces"]

NEURONS = 0x80_0000_0000  # stands for the start of the neurons until the weights are counted
_ELEMENTS = {
    DType.SI8: S8,
    DType.UI8: Element(0, 1, False),
    DType.F32: Element(2, 4),
    DType.F16: F16,
    DType.BF16: BF16,
    DType.SI16: Element(3, 2),
    DType.SI32: Element(4, 4),
}
_LONGEST = 65535  # sizes in commands have 16 bits


def element_of(value: Value) -> Element:
    """How a tensor lies in memory.

    Raises
    ------
    KeyError : it has a type that these instructions are not made for
    """
    return _ELEMENTS[value.dtype]


def dense(shape: Shape) -> Shape:
    """Strides of a dense (N, C, H, W) tensor, in elements."""
    _, c, h, w = shape
    return c * h * w, h * w, w, 1


@dataclass(frozen=True)
class Remote:
    """A part of a tensor in global memory: address of its first element, strides in elements."""

    address: int
    strides: Shape

    def at(self, place: Shape, element: Element) -> Remote:
        """The part that begins at element (n, c, h, w)."""
        step = sum(p * s for p, s in zip(place, self.strides))
        return Remote(self.address + step * element.size, self.strides)


def pieces(count: int, longest: int) -> Iterator[tuple[int, int, int]]:
    """Cut `count` elements into (start, lanes, width) with lanes * width elements each."""
    start = 0
    while start < count:
        left = count - start
        lanes = LANES if left >= LANES else 1
        width = min(left // lanes, longest, _LONGEST)
        yield start, lanes, width
        start += lanes * width


class NoRoom(UnsupportedError):
    """Local memory is too small for an op as it was tried."""


class Emitter:
    """Collects the commands of a network.

    Parameters
    ----------
    addresses : mapping of value name to int
        Places of tensors in global memory, from `NEURONS` on.

    Attributes
    ----------
    residents : dict of value name to Local
        Tensors that lie in local memory now, and are nowhere else.
    rotates : bool
        Whether coefficients go behind those of the op before, so that they may come early.
    """

    def __init__(self, addresses: Mapping[str, int]) -> None:
        self.addresses = addresses
        self.residents: dict[str, Local] = {}
        self.rotates = False
        self.commands: list[Command] = []
        self.coefficients = bytearray()
        self.places: list[tuple[str, int, int]] = []  # name, offset, size
        self.note = ""
        self._gaps: list[tuple[int, int]] = []
        self._block_end = 0

    def begin(self, node: Node) -> None:
        """Start an op: all of local memory is free again, but for the residents."""
        self.note = node.name
        taken = sorted((p.address, p.address + up(p.size)) for p in self.residents.values())
        starts = [0, *(end for _, end in taken)]
        ends = [*(start for start, _ in taken), LANE_BYTES]
        self._gaps = [(a, b) for a, b in zip(starts, ends) if a < b]

    @property
    def room(self) -> int:
        """Bytes of the longest free stretch of each lane."""
        return max((end - start for start, end in self._gaps), default=0)

    @property
    def free(self) -> int:
        """Bytes of each lane that nobody has."""
        return sum(end - start for start, end in self._gaps)

    def take(self, shape: Shape, element: Element, after: int = 0) -> Local:
        """Room for a tensor in local memory, at `after` or behind it if there is some.

        Raises
        ------
        NoRoom : there is none
        """
        need = up(Local(0, shape, element).size)
        for least in (after, 0):
            for index, (start, end) in enumerate(self._gaps):
                at = max(start, least)
                if at + need <= end:
                    cut = [(start, at), (at + need, end)]
                    self._gaps[index : index + 1] = [(a, b) for a, b in cut if a < b]
                    return Local(at, shape, element)
        raise NoRoom(
            f"'{self.note}': needs {need} more bytes of each lane; expected at most {self.room} of "
            f"{LANE_BYTES}. Hint: smaller input_shapes"
        )

    def longest(self, bytes_each: int) -> int:
        """How many numbers of a lane fit, with `bytes_each` for a number and all its copies."""
        count = (self.room - 1024) // bytes_each // 64 * 64
        if count < 64:
            raise NoRoom(f"'{self.note}': has {self.room} bytes of each lane; expected more")
        return count

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Room that is taken inside is free again after it."""
        gaps = list(self._gaps)
        yield
        self._gaps = gaps

    def fetch(self, value: Value, shape: Shape) -> Local:
        """A whole tensor in local memory: where it lives, or loaded."""
        known = self.residents.get(value.name)
        if known is not None:
            return Local(known.address, shape, known.element)
        place = self.take(shape, element_of(value))
        self.load(self.remote(value, shape), place)
        return place

    def finish(self, value: Value, place: Local, stays: bool) -> None:
        """A whole result: keep it where it is, or store it."""
        if stays:
            self.residents[value.name] = place
        else:
            self.store(place, self.remote(value, place.shape))

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Forget all that was written inside if there was no room; raises all the same."""
        before = len(self.commands), len(self.coefficients), len(self.places), self._block_end
        try:
            yield
        except NoRoom:
            del self.commands[before[0] :]
            del self.coefficients[before[1] :]
            del self.places[before[2] :]
            self._block_end = before[3]
            raise

    def emit(self, kind: str, **fields: int) -> None:
        """Append a command."""
        self.commands.append(Command(kind, fields, self.note))

    def remote(self, value: Value, shape: Shape) -> Remote:
        """A whole tensor in global memory, seen as dense (N, C, H, W)."""
        return Remote(self.addresses[value.name], dense(shape))

    def constant(self, array: np.ndarray) -> int:
        """Keep bytes among the coefficients; their address."""
        raw = array.tobytes()
        offset = len(self.coefficients)
        self.places.append((self.note, offset, len(raw)))
        self.coefficients += raw + bytes(-len(raw) % 64)
        return GLOBAL + offset

    def load_block(self, block: np.ndarray) -> Local:
        """Keep (lanes, bytes) among the coefficients and load row r into lane r."""
        lanes, width = block.shape
        assert width % 64 == 0
        h, w = (1, width) if width <= _LONGEST else (width // 64, 64)
        place = self.take((1, lanes, h, w), S8, self._block_end if self.rotates else 0)
        self._block_end = place.address + width
        self.load(Remote(self.constant(block), (lanes * width, width, w, 1)), place)
        return place

    def load(self, source: Remote, target: Local) -> None:
        """Global to local memory."""
        near = Remote(LOCAL + target.address, target.strides)
        self.copy(source, near, target.shape, target.element)

    def store(self, source: Local, target: Remote) -> None:
        """Local to global memory."""
        near = Remote(LOCAL + source.address, source.strides)
        self.copy(near, target, source.shape, source.element)

    def copy(self, source: Remote, target: Remote, shape: Shape, element: Element) -> None:
        """Any memory to any memory."""
        fields = {"type": element.code, "same_shape": 1}
        for side, place in (("s", source), ("r", target)):
            fields[f"{side}_low"] = place.address & 0xFFFFFFFF
            fields[f"{side}_high"] = place.address >> 32
            for axis, stride in zip("nchw", place.strides):
                fields[f"{side}_{axis}str"] = stride
        for axis, count in zip("nchw", shape):
            fields[f"s_{axis}"] = count
        self.emit("dma", **fields)
