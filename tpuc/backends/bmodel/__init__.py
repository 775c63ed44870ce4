"""The bmodel container.

write_bmodel               writer.py      Graph[tpu] to a file, whole, reproducible
read_bmodel, read_summary  reader.py      and back; every byte checked
info, info_text            info.py        what is in it
LoadedModel                loaded.py      a bmodel with a simulator behind it

schema.py and flat.py hold the public flatbuffer, container.py the file around it, program.py tpuc's
own program, weights.py the coefficient segment, attributes.py the JSON form of op attributes.
"""

from tpuc.backends.bmodel.info import info, info_text
from tpuc.backends.bmodel.loaded import Execute, LoadedModel
from tpuc.backends.bmodel.reader import (
    Bmodel,
    NetInfo,
    Summary,
    TensorInfo,
    read_bmodel,
    read_summary,
)
from tpuc.backends.bmodel.writer import Native, write_bmodel

__all__ = [
    "Bmodel",
    "Execute",
    "LoadedModel",
    "Native",
    "NetInfo",
    "Summary",
    "TensorInfo",
    "info",
    "info_text",
    "read_bmodel",
    "read_summary",
    "write_bmodel",
]
