"""Quantize some op types only (`quantize.part_quantize`): every op of another type is float.

    N_mode       what networks quantize well         H_mode   what computes most, for more accuracy
    custom_mode  the types in `quantize.custom_operators`

Source: TPU-MLIR 1.30.2, tables that it writes in each mode.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from tpuc.errors import ConfigError
from tpuc.ir import TOP_OPS

__all__ = ["PART_MODES", "PartQuantize"]

PART_MODES = {
    "N_mode": ("Relu", "MaxPool", "Conv", "MatMul", "PRelu", "AvgPool", "Add", "Sigmoid", "Deconv"),
    "H_mode": ("Conv", "MatMul", "AvgPool", "Deconv", "MaxPool"),
    "custom_mode": (),
}


@dataclass(frozen=True)
class PartQuantize:
    """A mode, and the op types of custom_mode.

    Raises
    ------
    ConfigError : no such mode or op type; custom_mode without types, or types without custom_mode
    """

    mode: str
    operators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in PART_MODES:
            raise ConfigError(
                f"quantize.part_quantize: '{self.mode}'; expected {', '.join(PART_MODES)}"
            )
        if (self.mode == "custom_mode") != bool(self.operators):
            raise ConfigError(
                f"quantize.part_quantize: {self.mode} with custom_operators={[*self.operators]}; "
                "expected op types with custom_mode, and with it only. "
                "Hint: quantize.custom_operators=[Conv,MatMul]"
            )
        for operator in self.operators:
            if operator not in TOP_OPS:
                near = difflib.get_close_matches(operator, TOP_OPS, 1, 0.3)
                hint = f" Hint: {near[0]}" if near else ""
                raise ConfigError(
                    f"quantize.custom_operators: there is no op type '{operator}'; "
                    f"expected types of the Top dialect, as in a .mlir file.{hint}"
                )

    @property
    def quantized(self) -> tuple[str, ...]:
        """Op types that are quantized."""
        return self.operators or PART_MODES[self.mode]

    @property
    def header(self) -> str:
        """How a table's header names it: `N_mode`, `custom_mode, custom_operator: Conv,MatMul`."""
        types = f", custom_operator: {','.join(self.operators)}" if self.operators else ""
        return f"{self.mode}{types}"

    def float_ops(self, ops: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Of (name, type) pairs, the names that are float, with the reason."""
        return {
            name: f"part_quantize {self.mode}: {type_} is not quantized"
            for name, type_ in ops
            if type_ not in self.quantized
        }
