"""What the rules write with: commands, coefficients, places in local and global memory.

Local memory is handed out as buffers without addresses; `allocate.place` finds those when all
commands are known. A buffer's stand-in is `BUFFERS` + its number * `BUFFER_STEP`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from tpuc.backends.bm1684x.command import (
    BF16,
    F16,
    GLOBAL,
    LANE_BYTES,
    LOCAL,
    S8,
    S32,
    Command,
    Element,
    Local,
    Shape,
    up,
)
from tpuc.backends.bm1684x.places import (
    BUFFER_STEP,
    BUFFERS,
    LONGEST,
    NEURONS,
    Remote,
    dense,
    halves,
    pieces,
)
from tpuc.errors import UnsupportedError
from tpuc.ir import DType, Node, Value

__all__ = [
    "BUFFERS",
    "BUFFER_STEP",
    "NEURONS",
    "Emitter",
    "NoRoom",
    "Remote",
    "buffer_of",
    "dense",
    "element_of",
    "halves",
    "pieces",
]

_ELEMENTS = {
    DType.SI8: S8,
    DType.UI8: Element(0, 1, False),
    DType.F32: Element(2, 4),
    DType.F16: F16,
    DType.BF16: BF16,
    DType.SI16: Element(3, 2),
    DType.SI32: Element(4, 4),
}


def element_of(value: Value) -> Element:
    """How a tensor lies in memory.

    Raises
    ------
    KeyError : it has a type that these instructions are not made for
    """
    return _ELEMENTS[value.dtype]


def buffer_of(place: Local) -> int:
    """Number of the buffer in which a tensor lies."""
    return (place.address - BUFFERS) // BUFFER_STEP


class NoRoom(UnsupportedError):
    """Local memory is too small for an op as it was tried."""


class Emitter:
    """Collects the commands of a network.

    Parameters
    ----------
    addresses : mapping of value name to int
        Places of tensors in global memory, from `NEURONS` on.
    outputs : set of value names
        What has to be there at the end.

    Attributes
    ----------
    residents : dict of value name to Local
        Tensors that lie in local memory now, and are nowhere else.
    sizes : list of int
        Bytes of each lane of all buffers, by number.
    """

    def __init__(self, addresses: Mapping[str, int], outputs: frozenset[str] = frozenset()) -> None:
        self.addresses, self.outputs = addresses, outputs
        self.residents: dict[str, Local] = {}
        self.sizes: list[int] = []
        self.rows: dict[
            str, Local
        ] = {}  # vectors, (1, lanes, 1, width), for the only op that reads
        self.owners: list[str] = []  # the op for which each buffer was taken
        self.kept: dict[int, str] = {}  # residents of all times, by buffer
        self.commands: list[Command] = []
        self.coefficients = bytearray()
        self.places: list[tuple[str, int, int]] = []  # name, offset, size
        self.note = ""
        self._taken = 0

    def begin(self, node: Node) -> None:
        """Start an op: all of local memory is free again, but for the residents."""
        self.note = node.name
        places = {p.address: up(p.size) for p in self.residents.values()}
        self._taken = sum(places.values())

    @property
    def room(self) -> int:
        """Bytes of each lane that nobody has."""
        return LANE_BYTES - self._taken

    def take(self, shape: Shape, element: Element) -> Local:
        """Room for a tensor in local memory.

        Raises
        ------
        NoRoom : there is none
        """
        need = up(Local(0, shape, element).size)
        if need > self.room:
            raise NoRoom(
                f"'{self.note}': needs {need} more bytes of each lane; expected at most "
                f"{self.room} of {LANE_BYTES}. Hint: smaller input_shapes"
            )
        self._taken += need
        self.sizes.append(need)
        self.owners.append(self.note)
        return Local(BUFFERS + (len(self.sizes) - 1) * BUFFER_STEP, shape, element)

    def longest(self, bytes_each: int) -> int:
        """How many numbers of a lane fit, with `bytes_each` for a number and all its copies.

        Half of what there is, so that one piece can be loaded while another is computed.
        """
        count = (self.room // 2 - 1024) // bytes_each // 64 * 64
        if count < 64:
            raise NoRoom(f"'{self.note}': has {self.room} bytes of each lane; expected more")
        return count

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Room that is taken inside is free again after it."""
        taken = self._taken
        yield
        self._taken = taken

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
            self.kept[buffer_of(place)] = value.name
        else:
            self.store(place, self.remote(value, place.shape))

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Forget all that was written inside if there was no room; raises all the same."""
        before = len(self.commands), len(self.coefficients), len(self.places)
        try:
            yield
        except NoRoom:
            del self.commands[before[0] :]
            del self.coefficients[before[1] :]
            del self.places[before[2] :]
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
        """Keep (lanes, bytes) among the coefficients and load row r into lane r.

        As a matrix whose rows are cut into as many pieces as there are lanes: the DMA is fastest
        where all that it reads follows one another.
        """
        lanes, width = block.shape
        words = -(-width // S32.size)
        parts = -(-words // (LONGEST // lanes))
        each = -(-words // parts)
        wide = np.zeros((lanes, parts, S32.size * each), np.uint8)
        wide.reshape(lanes, -1)[:, :width] = block.view(np.uint8)
        source = self.constant(np.ascontiguousarray(wide.transpose(1, 0, 2)))
        place = self.take((1, lanes, 1, S32.size * parts * each), S8)
        row = lanes * each
        far = {"s_h": parts, "s_w": row, "s_hstr": row, **halves("s", source)}
        near = {"r_n": parts, "r_c": lanes, "r_w": each, "r_nstr": each, "r_cstr": each}
        near |= halves("r", LOCAL + place.address)
        self.emit("dma_matrix", type=S32.code, **far, **near)
        return place

    def load(self, source: Remote, target: Local) -> None:
        """Global to local memory."""
        near = Remote(LOCAL + target.address, target.strides)
        self.copy(source, near, target.shape, target.element)

    def store(self, source: Local, target: Remote) -> None:
        """Local to global memory."""
        near = Remote(LOCAL + source.address, source.strides)
        self.copy(near, target, source.shape, source.element)

    def spread(self, source: Remote, target: Local, lane: int) -> None:
        """One channel of global memory to every channel of `target`, which begins at `lane`."""
        _, c, h, w = target.shape
        fields = {"sub": 3, "type": target.element.code, "s_n": 1, "s_c": 1, "s_h": h, "s_w": w}
        fields |= {"s_nstr": source.strides[0], "s_hstr": source.strides[2]}
        fields |= {"r_n": 1, "r_c": c, "r_h": h, "r_w": w, "r_nstr": target.strides[0]}
        fields |= {"r_hstr": w, **halves("s", source.address)}
        fields |= halves("r", LOCAL + target.address + lane * LANE_BYTES)
        self.emit("dma", **fields)

    def store_row(self, source: Local, address: int, count: int) -> None:
        """The first `count` numbers of (1, lanes, 1, width), lane after lane."""
        width = source.shape[3]
        strides = {"s_nstr": source.strides[0], "s_cstr": source.strides[1], "r_hstr": count}
        shape = {"s_n": 1, "s_c": -(-count // width), "s_w": width, "r_h": 1, "r_w": count}
        sides = {**halves("s", LOCAL + source.address), **halves("r", address)}
        self.emit("dma_matrix", type=source.element.code, **strides, **shape, **sides)

    def store_rows(self, source: Local, target: Remote, shape: Shape) -> None:
        """Local to global memory, `shape` of a larger picture."""
        near = Remote(LOCAL + source.address, source.strides)
        self.copy(near, target, shape, source.element)

    def copy(self, source: Remote, target: Remote, shape: Shape, element: Element) -> None:
        """Any memory to any memory."""
        fields = {"type": element.code, "same_shape": 1}
        for side, place in (("s", source), ("r", target)):
            fields |= halves(side, place.address)
            for axis, stride in zip("nchw", place.strides):
                fields[f"{side}_{axis}str"] = stride
        for axis, count in zip("nchw", shape):
            fields[f"s_{axis}"] = count
        self.emit("dma", **fields)
