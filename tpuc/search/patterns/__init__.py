"""Float ops by experience: detectors and transformers, told by the order of their op types.

families.py      which family, which rows        matched.py      the result
blocks.py        the block of each family, as data
program.py       a graph as ops in order         rows.py         the list that rules fill
transformer.py   BERT, ViT, DeiT, Swin, CSWin, EVA, DETR, CLIP    openclip.py   OpenCLIP
yolo.py          YOLO v5 to v12 and 26           rtdetr.py       RT-DETRv2
"""

from tpuc.search.patterns.families import match
from tpuc.search.patterns.matched import Matched

__all__ = ["Matched", "match"]
