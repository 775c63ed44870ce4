"""Instructions of a chip with 64 lanes of 256 KiB and two engines (TIU and DMA).

compile_graph, why_not   compile.py    all of it: Graph[tpu] to `Compiled`
plan_memory              memory.py     tensors in global memory
RULES                    rules/        instruction selection, one op family a module
choose_tile              tiling.py     cutting an op into parts that fit local memory
emit_graph               placing.py    what stays in local memory between ops
choose_groups            choose_groups.py  which ops work in bands of rows, together
emit_group               grouping.py   commands of those
Lives                    lives.py      how long buffers of local memory live
Loader                   loading.py    when the DMA loads
place                    allocate.py   addresses in local memory, order of both engines
check_meaning            meaning.py    proof that this order computes the same
schedule                 schedule.py   serial numbers and waits of both engines
encode_stream            encode.py     commands to bytes, over the tables of fields.py
decode_stream            decode.py     bytes to commands, over the same tables
check_streams            check.py      proof that nothing can race
estimate                 cycles.py     how long streams take
parts_of                 timeline.py   what both engines do, op after op
Chip                     execute.py    runs decoded streams on numpy
plan_text                plan_text.py  memory, tiles and schedule as text
disassemble              disassemble.py  both streams as text
"""

from tpuc.backends.bm1684x.compile import Compiled, compile_graph, why_not
from tpuc.backends.bm1684x.cycles import estimate
from tpuc.backends.bm1684x.decode import decode_stream
from tpuc.backends.bm1684x.disassemble import disassemble
from tpuc.backends.bm1684x.execute import Chip
from tpuc.backends.bm1684x.plan_text import plan_text
from tpuc.backends.bm1684x.timeline import cycles_in_all, parts_of

__all__ = [
    "Chip",
    "Compiled",
    "compile_graph",
    "cycles_in_all",
    "decode_stream",
    "disassemble",
    "estimate",
    "parts_of",
    "plan_text",
    "why_not",
]
