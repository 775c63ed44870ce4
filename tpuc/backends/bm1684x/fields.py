"""Instruction formats of the chip, as data.

A row is `name@first bit+width`; bits count from the lowest of the little-endian command. Bits that
no row names are zero. Two engines: `tiu` computes in local memory, `dma` moves between local and
global memory. Operands are a, b, c, d, the result is r; `id` is a command's serial number in its
engine, `wait` the serial number that the other engine must have finished.

Source: register tables in TPU-MLIR 1.30.2, short forms of the TIU and long forms of the DMA (the
only ones its runtime relocates), checked by running streams on its chip simulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["DMA_KINDS", "KINDS", "TIU_KINDS", "Field", "Kind"]


@dataclass(frozen=True)
class Field:
    """Bits `first` to `first + width - 1`."""

    name: str
    first: int
    width: int


@dataclass(frozen=True)
class Kind:
    """One register layout; `opcode` and `subs` tell its commands, `constants` never change."""

    name: str
    engine: str
    size: int  # bytes
    opcode: int
    subs: tuple[int, ...]
    fields: tuple[Field, ...]
    constants: tuple[tuple[str, int], ...]


_TIU_HEAD = "short@0+1 id@1+20 wait@21+20 opcode@41+4 sub@45+5 count@55+4"
_DMA_HEAD = "short@3+1 count@5+4 id@9+20 opcode@32+4 sub@36+3 wait@64+20"
_PADS = (
    "pad_top@{0}+4 pad_bottom@{1}+4 pad_left@{2}+4 pad_right@{3}+4 stride_w@{4}+4 stride_h@{5}+4"
)
_ALL_LANES = 0xFFFFFFFF


def _kind(
    name: str, size: int, opcode: int, subs: Sequence[int], rows: str, **constants: int
) -> Kind:
    engine = "dma" if "dma" in name else "tiu"
    head = _DMA_HEAD if engine == "dma" else _TIU_HEAD
    fields = []
    for row in (head + " " + rows).split():
        field, _, place = row.partition("@")
        first, _, width = place.partition("+")
        fields.append(Field(field, int(first), int(width)))
    start = {"short": int(engine == "tiu"), "count": 1, **constants}
    return Kind(name, engine, size, opcode, tuple(subs), tuple(fields), tuple(start.items()))


_KINDS = (
    _kind(
        "conv",
        64,
        0,
        range(3),
        "a_signed@50+1 b_signed@51+1 c_signed@52+1 accumulate@63+1 rotate@64+1 r_type@65+3 "
        "a_type@68+3 b_const@71+1 c_const@72+1 "
        + _PADS.format(73, 77, 81, 85, 89, 93)
        + " d_const@97+1 a_layout@98+3 r_addr@101+26 spread_w@128+4 spread_h@132+4 "
        "dilation_w@136+4 dilation_h@140+4 a_nstr@144+16 r_n@160+16 r_c@176+16 r_h@192+16 "
        "r_w@208+16 a_c@224+16 a_h@240+16 a_w@256+16 kernel_h@272+16 kernel_w@288+16 "
        "a_cstr@304+16 a_addr@320+32 b_addr@352+32 c_addr@384+32 d_addr@448+32 a_hstr@480+16 "
        "a_wstr@496+16",
    ),
    _kind(
        "window",
        64,
        1,
        range(8),
        "rotate@50+1 a_signed@51+1 b_signed@52+1 b_const@63+1 c_const@64+1 d_const@65+1 "
        "r_type@66+3 a_type@69+3 spread_w@72+4 spread_h@76+4 dilation_w@80+4 dilation_h@84+4 "
        + _PADS.format(88, 92, 96, 100, 104, 108)
        + " rounding@112+3 c_signed@126+1 r_n@128+16 r_c@144+16 r_h@160+16 r_w@176+16 a_h@192+16 "
        "a_w@208+16 kernel_h@224+16 kernel_w@240+16 r_addr@256+32 a_addr@288+32 b_addr@320+32 "
        "c_addr@352+32 d_addr@416+32",
    ),
    _kind(
        "matrix",
        48,
        2,
        range(1, 4),
        "accumulate@50+1 a_turned@51+1 a_const@52+1 c_const@53+1 a_signed@64+1 b_signed@65+1 "
        "c_signed@66+1 r_type@67+3 a_type@70+3 rounding@73+3 r_c@112+16 r_w@128+16 a_n@144+16 "
        "a_c@160+16 a_w@176+16 last_w@208+16 r_addr@224+32 a_addr@256+32 b_addr@288+32 "
        "c_addr@320+32 d_addr@352+32",
    ),
    _kind(
        "matrix_rows",
        32,
        2,
        range(4, 7),
        "a_signed@50+1 b_signed@51+1 r_type@52+3 c_const@63+1 r_c@64+16 r_w@80+16 b_c@96+16 "
        "b_w@112+16 a_type@128+3 a_const@131+1 b_const@132+1 accumulate@133+1 r_addr@134+25 "
        "a_addr@160+32 b_addr@192+32 c_addr@224+32",
    ),
    _kind(
        "arith",
        64,
        3,
        (*range(24), 26, 28),
        "a_const@50+1 b_const@51+1 c_const@52+1 operands@53+2 r_type@64+3 a_type@67+3 b_type@70+3 "
        "c_type@73+3 a_signed@76+1 b_signed@77+1 r_layout@78+3 a_layout@81+3 b_layout@84+3 "
        "rounding@87+3 r_n@96+16 r_c@112+16 r_h@128+16 r_w@144+16 r_addr@160+32 a_addr@192+32 "
        "b_addr@224+32 c_addr@256+32 r_nstr@288+16 r_cstr@304+16 a_nstr@320+16 a_cstr@336+16 "
        "b_nstr@352+16 b_cstr@368+16 r_hstr@384+20 r_wstr@404+20 a_hstr@424+20 c_signed@444+1 "
        "a_wstr@448+20 b_hstr@468+20 b_wstr@488+20",
    ),
    _kind(
        "requant",
        32,
        4,
        range(6),
        "a_signed@50+1 r_signed@51+1 r_type@52+3 b_const@63+1 a_type@64+3 rounding@67+6 "
        "r_addr@73+27 a_addr@100+27 r_n@128+16 r_c@144+16 r_h@160+16 r_w@176+16 b_addr@192+32 "
        "c_addr@224+32",
    ),
    _kind(
        "lane",
        32,
        5,
        range(6),
        "r_type@50+3 r_n@64+16 r_c@80+16 r_h@96+16 r_w@112+16 a_c@128+16 a_w@144+16 "
        "r_addr@192+32 a_addr@224+32",
    ),
    _kind(
        "gather",
        48,
        6,
        range(17),
        "d_const@50+1 a_layout@52+3 c_const@63+1 r_n@64+16 r_c@80+16 r_h@96+16 r_w@112+16 "
        "a_h@128+16 a_w@144+16 b_c@160+16 b_w@176+16 r_type@192+3 r_addr@195+29 a_type@224+3 "
        "a_addr@227+29 b_type@256+3 b_addr@259+29 c_addr@288+32 s_addr@320+32 d_addr@352+32",
    ),
    _kind(
        "function",
        32,
        9,
        range(12, 18),
        "r_type@64+3 a_type@67+3 rounding@70+2 r_n@80+16 r_c@96+16 r_h@112+16 r_w@128+16 "
        "b_n@144+16 r_addr@160+32 a_addr@192+32 b_addr@224+32",
    ),
    _kind(
        "choose",
        48,
        13,
        range(22, 27),
        "a_const@50+1 b_const@51+1 c_const@52+1 d_const@53+1 a_type@64+3 c_type@67+3 a_layout@70+3 "
        "b_layout@73+3 a_signed@127+1 r_n@128+16 r_c@144+16 r_h@160+16 r_w@176+16 r_addr@192+32 "
        "s_addr@224+32 a_addr@256+32 b_addr@288+32 c_addr@320+32 d_addr@352+32",
    ),
    _kind("end", 16, 15, range(31, 32), "", short=0, count=0),
    *(
        _kind(
            name,
            96,
            opcode,
            range(5),
            "strided@1+1 same_shape@2+1 fill@39+1 type@40+3 constant@96+32 s_nstr@128+32 "
            "s_cstr@160+32 s_hstr@192+32 s_wstr@224+32 r_nstr@256+32 r_cstr@288+32 r_hstr@320+32 "
            "r_wstr@352+32 s_n@384+16 s_c@400+16 s_h@416+16 s_w@432+16 r_n@448+16 r_c@464+16 "
            "r_h@480+16 r_w@496+16 s_low@512+32 s_high@544+8 r_low@576+32 r_high@608+8 "
            "lanes_low@704+32 lanes_high@736+32",
            strided=1,
            lanes_low=_ALL_LANES,
            lanes_high=_ALL_LANES,
        )
        for name, opcode in (("dma", 0), ("dma_matrix", 1))
    ),
    _kind(
        "dma_gather",
        96,
        7,
        range(1),
        "strided@1+1 fill@39+1 type@40+3 constant@96+32 s_cstr@128+32 s_hstr@160+32 r_cstr@192+32 "
        "r_hstr@224+32 i_cstr@256+32 i_hstr@288+32 s_c@336+16 s_h@352+32 s_w@384+16 r_c@400+16 "
        "r_h@416+32 r_w@448+16 i_c@464+16 i_h@480+32 s_low@512+32 s_high@544+8 r_low@576+32 "
        "r_high@608+8 i_low@640+32 i_high@672+8 lanes_low@704+32 lanes_high@736+32",
        strided=1,
        lanes_low=_ALL_LANES,
        lanes_high=_ALL_LANES,
    ),
    _kind("dma_end", 16, 6, range(1), "", short=1),
)

KINDS = {kind.name: kind for kind in _KINDS}
TIU_KINDS = {(k.opcode, sub): k for k in _KINDS if k.engine == "tiu" for sub in k.subs}
DMA_KINDS = {(k.opcode, sub): k for k in _KINDS if k.engine == "dma" for sub in k.subs}
