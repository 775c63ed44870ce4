"""Tables of the flatbuffer inside a bmodel, as data.

Source: the public `bmodel.fbs` of TPU-MLIR 1.30. A field's place in its row is its slot number, so
rows may only grow at the end. Kinds: a scalar of `SCALARS`; `string`; `Binary` (a struct of two
u64: start and size of a blob in the binary segment); `RelEntry` (a struct of three u32); a table's
name; any of these in brackets for a vector.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpuc.ir import DType

__all__ = ["DATA_TYPES", "SCALARS", "STRUCTS", "TABLES", "Field"]

SCALARS = {"u8": "<B", "i32": "<i", "u32": "<I", "u64": "<Q", "f32": "<f"}
"""Scalar kind to `struct` format."""

STRUCTS = {"Binary": "<QQ", "RelEntry": "<III"}
"""Struct kind to `struct` format; without padding, aligned to its largest member."""

DATA_TYPES = {
    DType.F32: 0,
    DType.F16: 1,
    DType.SI8: 2,
    DType.UI8: 3,
    DType.SI16: 4,
    DType.UI16: 5,
    DType.SI32: 6,
    DType.BF16: 8,
    DType.SI4: 9,
    DType.UI4: 10,
}
"""`Tensor.data_type` codes (7 is u32, which tpuc has no type for)."""


@dataclass(frozen=True)
class Field:
    """One field: its kind, the default of a scalar, and whether a table without it is broken."""

    name: str
    kind: str
    default: int | float = 0
    required: bool = False


def _rows(text: str) -> tuple[Field, ...]:
    """Parse `name:kind[=default][!]`, separated by blanks; `!` marks a required field."""
    fields = []
    for item in text.split():
        name, kind = item.rstrip("!").split(":")
        kind, _, default = kind.partition("=")
        fields.append(Field(name, kind, float(default or 0), item.endswith("!")))
    return tuple(fields)


TABLES: dict[str, tuple[Field, ...]] = {
    "Model": _rows(
        "type:string! version:string! time:string! chip:string! net:[Net]! neuron_size:u64 "
        "kernel_module:Module device_num:u32 cpuop_module:Module bmodel_type:u32 "
        "lib_backend:Binary"
    ),
    "Module": _rows("file_name:string! binary:Binary! mode:i32"),
    "Net": _rows(
        "name:string! net_static:[Empty] net_dynamic:[Empty] parameter:[NetParameter] "
        "cascade:Cascade addr_mode:i32"
    ),
    "Empty": (),
    "Cascade": _rows("device_id:u32 step:u32 main_name:string"),
    "NetParameter": _rows(
        "input_tensor:[Tensor]! output_tensor:[Tensor]! ctx_addr:u64 ctx_size:u64 "
        "coeff_mem:CoeffMem is_dynamic:i32 n_dynamic:i32 h_w_dynamic:i32 cmd_group:[CmdGroup] "
        "net_profile:Binary stage_ir:[StageIR] binary_ir:Binary sub_net:[SubNet] "
        "cpu_mem_size:u32 ctx_sizes:[u64] net_stat:Binary core_num:u32 io_addr:u64 io_size:u64 "
        "tensor_loc:Binary dynamic_ctx_addr:u64 dynamic_coeff_offset:u64 "
        "dynamic_combined_coeff_offset:u64"
    ),
    "Tensor": _rows(
        "name:string! data_type:u32 gmem_stmode:i32 device_addr:u64 size:u64 shape:[Shape] "
        "mem_type:u32 scale:f32=1 cpu_addr:u32 pad_h:u32 zero_point:i32 hidden:i32 index:i32 "
        "relentry:RelEntry"
    ),
    "Shape": _rows("dim:[u64]"),
    "CoeffMem": _rows(
        "address:u64 check_code:[u8] binary_coeff:Binary location:[Location] encrypt_mode:i32 "
        "decrypt_size:u64"
    ),
    "Location": _rows("name:string! offset:u64 size:u64"),
    "CmdGroup": _rows(
        "bdc_num:u32 gdma_num:u32 binary_bdc:Binary binary_gdma:Binary bdc_cmd_byte:u32 "
        "gdma_cmd_byte:u32 reloc_entries:[RelEntry]"
    ),
    "StageIR": _rows("ir_info_len:u32 height_high:i32 height_low:i32 width_high:i32 width_low:i32"),
    "SubNet": _rows(
        "subnet_mode:i32 cmd_group:[CmdGroup] cpu_param:[CpuParam] input_tensor:[Tensor] "
        "output_tensor:[Tensor] is_dynamic:i32 ir_offset:u32 ir_len:u32 n_dynamic:i32 "
        "h_w_dynamic:i32 id:i32=-1 next_subnet_ids:[i32] merge_param:MergeParam "
        "switch_param:SwitchParam core_commands:[CoreCommands] run_core:u32"
    ),
    "CpuParam": _rows("op_type:i32 binary_param:Binary cpu_const:[CpuConst] is_custom:i32"),
    "CpuConst": _rows("name:string const_data:Binary check_code:[u8]"),
    "MergeParam": _rows("output_from:[OutputFrom]"),
    "OutputFrom": _rows("indice:[i32]"),
    "SwitchParam": _rows("output_from:[i32] output_branch:[i32]"),
    "CoreCommands": _rows(
        "gdma_tiu_commands:[CmdGroup] sdma_commands:[Binary] hau_commands:[Binary] "
        "cdma_commands:[Binary]"
    ),
}
