"""Float ops of Graph[tpu]: the Top op's float kernel, its output rounded to the type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tpuc.ir import DType, Node
from tpuc.simulator.float8 import finish_float8, scale_operands
from tpuc.simulator.float_exact import EXACT, IN_DOUBLE, rounding_of
from tpuc.simulator.weight_only import as_matmul

if TYPE_CHECKING:
    import torch

__all__ = ["run_float"]

_ACTIVE = {
    "SIGMOID": "Sigmoid",
    "LOG_SIGMOID": "Sigmoid",
    "HSIGMOID": "HardSigmoid",
    "HSWISH": "HardSwish",
    "TANH": "Tanh",
    "ELU": "Elu",
    "GELU": "GELU",
    "TGELU": "GELU",
    "QGELU": "GELU",
    "SILU": "SiLU",
    "SOFT_PLUS": "Softplus",
    "MISH": "Mish",
    "ERF": "Erf",
    "ABSVAL": "Abs",
    "EXP": "Exp",
    "SQRT": "Sqrt",
    "LN": "Log",
    "SOFT_SIGN": "Softsign",
    "CEIL": "Ceil",
    "FLOOR": "Floor",
    "ROUND": "Round",
    "SIN": "Sin",
    "COS": "Cos",
    "SIGN": "Sign",
    "TRUNC": "Cast",
}


def _top_form(node: Node) -> Node:
    """The node spelled as the Top op whose kernel computes it."""
    attrs = dict(node.attrs)
    op = node.op
    if op == "Conv2D":
        op = "Conv"
    elif op == "Pool2D":
        op = "AvgPool" if attrs["pool_mode"] == "Avg" else "MaxPool"
    elif op == "Active":
        mode = str(attrs["mode"])
        op = _ACTIVE[mode]
        coeffs = [float(c) for c in attrs["coeffs"]]  # type: ignore[union-attr]
        if op == "Cast":
            attrs.update(to="INT32")
        elif op == "Sigmoid":
            attrs.update(scale=coeffs[0], bias=coeffs[1], log=mode == "LOG_SIGMOID")
        elif op == "HardSigmoid":
            attrs.update(beta=coeffs[0], alpha=coeffs[1])
        elif op == "Elu":
            attrs.update(alpha=coeffs[0])
        elif op == "GELU":
            approx = {"GELU": "normal", "TGELU": "tanh", "QGELU": "sigm"}[mode]
            attrs.update(approx_mode=approx)
    return Node(op, node.inputs, node.outputs, attrs)


def _tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor over the array's own memory; torch wants that to be writable."""
    import torch

    whole = np.ascontiguousarray(array, np.float32)
    return torch.from_numpy(whole if whole.flags.writeable else whole.copy())


def _rounded(x: torch.Tensor, dtype: DType) -> torch.Tensor:
    """Nearest even in a shorter float type, as `kernels.casts.round_to`."""
    import torch

    short = {DType.F16: torch.float16, DType.BF16: torch.bfloat16}.get(dtype)
    return x if short is None else x.to(short).to(torch.float32)


def run_float(node: Node, operands: list[np.ndarray | None]) -> list[np.ndarray]:
    """Compute one float op from float32 operands; results have memory of their own."""
    operands = scale_operands(node, operands)
    tensors = [None if o is None else _tensor(o) for o in operands]
    taken = {t.untyped_storage().data_ptr() for t in tensors if t is not None}
    arrays, dtype = [], rounding_of(node)
    for out in _results(node, operands, tensors)[: len(node.outputs)]:
        if node.attrs.get("do_relu"):
            limit = node.number("relu_limit")
            out = out.clamp(0.0, limit if limit > 0 else None)
        if dtype.is_float8:
            arrays.append(finish_float8(node, out.numpy()))
            continue
        out = _rounded(out, dtype).contiguous()
        own = out.untyped_storage().data_ptr() not in taken
        arrays.append((out if own else out.clone()).numpy())
    return arrays


def _results(
    node: Node, operands: list[np.ndarray | None], tensors: list[torch.Tensor | None]
) -> list[torch.Tensor]:
    """The op's results in float32, before fused relu and rounding."""
    import torch

    from tpuc.execute.kernels import KERNELS

    if node.op == "A16MatMul":
        node = as_matmul(node)
        tensors = [tensors[0], _tensor(node.weight(1)), *tensors[4:]]
    exact = EXACT.get(node.op)
    if exact is not None and operands[0] is not None:
        made = exact(node, *(None if o is None else np.asarray(o, np.float32) for o in operands))
        if made is not None:
            return [torch.from_numpy(made)]
    form = _top_form(node)
    with torch.inference_mode():
        if node.op in IN_DOUBLE:
            tensors = [None if t is None else t.double() for t in tensors]
        outs = KERNELS[form.op](form, *tensors)
        return [o.float() for o in (outs if isinstance(outs, list) else [outs])]
