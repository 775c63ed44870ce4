"""The blocks that tell a family: sequences of op types in program order, as data.

One letter is one op, a digit repeats the letter before it: `B3C` is MaxPool, MaxPool, MaxPool,
Concat. Only order counts, not who reads whom. A block occurs where its types, joined, are part of
the network's types, joined; so its last type also stands for a longer one with that beginning
(Mul for MulConst). Blocks are tried in the order of `BLOCKS`; the first that occurs decides.

Source: TPU-MLIR 1.30.2, found in networks that it imports.
"""

from __future__ import annotations

import re

__all__ = ["BLOCKS", "CLIP_BLOCKS", "LETTERS", "YOLO26_BLOCKS", "expand", "word"]

LETTERS = {
    "A": "Add", "L": "LayerNorm", "M": "MatMul", "R": "Reshape", "P": "Permute", "S": "Slice",
    "Q": "Squeeze", "U": "Unsqueeze", "X": "Softmax", "K": "MulConst", "k": "AddConst",
    "*": "Mul", "/": "Div", "-": "Sub", "G": "GELU", "W": "SiLU", "I": "Sigmoid", "C": "Concat",
    "V": "Conv", "O": "Rope", "B": "MaxPool", "r": "Reduce", "a": "Abs", "q": "Sqrt",
    "g": "GridSampler",
}  # fmt: skip

BLOCKS = {
    "eva_block": "ALMRS3Q3PS2*SKSU2CR*ACPS2*SKSU2CR*ACKPMXPMPRMALM2W*M",
    "eva02_block": "LM3RPRPRPO2PK2MXMPRMALM2W*LMA",
    "eva02_smc_block": "LM3RPRPRPO2PK2MX*M*PRMALM2W*LMA",
    "eva02_block_v1": "ALMRS3Q3POPOKPMXPMPRMALM2W*M",
    "bert_block": "ALM3RPR2P2MKAXMPRMALMGM",
    "bert_block_1": "ALM2RMRPRP2MKAXMPRMALMGM",
    "bert_block_large_pt": "ALM2RPMRPRP2MKAXMPRMALMGM",
    "insert_mul_bert_block": "AL*M3RPR2P2MKAXMPRMAL*MGM",
    "insert_mul_bert_block_1": "AL*M2RMRPRP2MKAXMPRMAL*MGM",
    "insert_mul_bert_block_2": "AL*M2RPMRPRP2MKAXMPRMAL*MGM",
    "deit_block": "ALMRSQSQSQP3MKXPMPRMALMGM",
    "swin_block": (
        "LRPRMRS3Q3PKP2MAXPMPRMRPRARLMGMARL"
        "S2CS2CRPRMRS3Q3PKP2MAXPMPRMRPRS2CS2CARLMGMA"
    ),
    "_swin_block": (
        "LRPRMRS3Q3PKP2MAXPMPRMRPR2ALMGMARL"
        "S2CS2CRPRMRS3Q3PKP2MAXPMPRMRPRS2CS2CRALMGMA"
    ),
    "vit_block": "ALMRS3Q3PKP2MXPMPRMALMGM",
    "detr_block": "ALAM3RPR2PKPMXMPRMRALM2",
    "detr_rc_50_block": "ALAM3RPKRPRPMXMPRMALM2",
    "swin_1_block": (
        "LRPRMRP2S2RSRKRPMAXMPRMRPRALMGMALR"
        "S2CS2CRPRMRP2S2RSRKRPMAXMPRMRPRS2CS2CRALMGMA"
    ),
    "_swin_1_block": (
        "LRPRMRS3Q3PKP2MAXPMPRMRPRALMGMALR"
        "S2CS2CRPRMRS3Q3PKP2MAXPMPRMRPRS2CS2CRALMGMA"
    ),
    "_eva_block": "ALMRPMRPMRPS2*SKSU2CR*ACS2*SKSU2CR*ACKPMXMPRMALM2W*LM",
    "cswin_block": (
        "LMRPSRSRSRPRPRP2RPRPRPRVRPRPKPMXMAPRPR"
        "SRSRSR2PRPRPRVRPRPKPMXMAPRPRCMALMGMA"
    ),
    "yolo_block": "B3C",
    "yolo_block_12": "-A2-KC*C",
    "clip_m2_encoder_block": "LM3RPRPRP2MKXMPRLMALMGLMA",
    "rtdetrv2_block": "MRMRMRXUS*KSAPRS3KkPRS3RgRgRgPRC*rRPMAL",
    "vf_attention_block": "M3RPR2P2MKXMPRM",
}  # fmt: skip

# Tried when none of the above occurs; all three must, and the norm exactly twice.
CLIP_BLOCKS = {
    "openclip_vision_block": "LM2RPMRPRPR3PMXMRPRMALMKI*MA",
    "openclip_text_block": "LM2RPMRPRPR3PMRA2RXMRPRMALMKI*MA",
    "l2_norm_block": "a*rq/",
}

# Inside a yolo block, one of each pair means a head that is float in two stages.
YOLO26_BLOCKS = {
    "trans_block": "WS2VRS3PRMVKXPMRAVAVWVA",
    "trans_block_v1": "WS2VRVRVRPMVKXPMRAVAVWVA",
    "typical_block_nsm": "S2V2W2VWVWAVWVWACVWC",
    "typical_block_lx": "WS2V2W2VWVWAVWVWACVWV2W2VWVWAVWVWACVWC",
}


def expand(block: str) -> tuple[str, ...]:
    """Types of a block: `B3C` is (MaxPool, MaxPool, MaxPool, Concat)."""
    pairs = re.findall(r"(\D)(\d?)", block)
    return tuple(LETTERS[letter] for letter, times in pairs for _ in range(int(times or 1)))


def word(block: str) -> str:
    """Types of a block, joined: `top.MaxPooltop.MaxPooltop.MaxPooltop.Concat`."""
    return "".join(f"top.{type_}" for type_ in expand(block))
