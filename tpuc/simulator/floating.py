"""Float ops of Graph[tpu]: the Top op's float kernel, its output rounded to the type."""

from __future__ import annotations

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.casts import round_to

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
        if op == "Sigmoid":
            attrs.update(scale=coeffs[0], bias=coeffs[1], log=mode == "LOG_SIGMOID")
        elif op == "HardSigmoid":
            attrs.update(beta=coeffs[0], alpha=coeffs[1])
        elif op == "Elu":
            attrs.update(alpha=coeffs[0])
        elif op == "GELU":
            approx = {"GELU": "normal", "TGELU": "tanh", "QGELU": "sigm"}[mode]
            attrs.update(approx_mode=approx)
    return Node(op, node.inputs, node.outputs, attrs)


def run_float(node: Node, operands: list[np.ndarray | None]) -> list[np.ndarray]:
    """Compute one float op from float32 operands."""
    import torch

    from tpuc.execute.kernels import KERNELS

    tensors = [None if o is None else torch.from_numpy(np.array(o, np.float32)) for o in operands]
    with torch.inference_mode():
        made = KERNELS[_top_form(node).op](_top_form(node), *tensors)
        outs = made if isinstance(made, list) else [made]
        arrays = [o.contiguous().numpy() for o in outs[: len(node.outputs)]]
    if node.attrs.get("do_relu"):
        limit = node.number("relu_limit")
        arrays = [np.clip(a, 0.0, limit if limit > 0 else None) for a in arrays]
    return [round_to(a, v.dtype) for a, v in zip(arrays, node.outputs)]
