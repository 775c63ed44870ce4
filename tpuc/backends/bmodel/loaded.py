"""A bmodel that can be called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from tpuc.backends.bmodel.reader import Bmodel
from tpuc.errors import DataError
from tpuc.ir import Value

__all__ = ["Execute", "LoadedModel"]

Execute = Callable[[Mapping[str, np.ndarray], Collection[str] | None], Mapping[str, np.ndarray]]
"""Runs a program: feeds as stored, tensors wanted besides the outputs; results as stored."""


class LoadedModel:
    """A bmodel with a simulator behind it.

    Parameters
    ----------
    bmodel : Bmodel
    execute : callable
        Runs `bmodel.graph`; handed in, because this room does not know the simulator.

    Attributes
    ----------
    inputs, outputs : tuple of Value
        Names, shapes, types and scales.
    """

    def __init__(self, bmodel: Bmodel, execute: Execute) -> None:
        self.bmodel = bmodel
        self.inputs: tuple[Value, ...] = tuple(bmodel.graph.inputs)
        self.outputs: tuple[Value, ...] = tuple(bmodel.graph.outputs)
        self._execute = execute

    def run(
        self,
        feeds: Mapping[str, np.ndarray],
        observe: Collection[str] | str | None = None,
        dequantize: bool = False,
    ) -> dict[str, np.ndarray]:
        """Execute once.

        Parameters
        ----------
        feeds : mapping of str to ndarray
            One per input. A float for an integer input is quantized: round(x / scale) + zero_point,
            half away from zero, saturated.
        observe : collection of str, a name, or 'all', optional
            More tensors to return, by op name.
        dequantize : bool
            Return integers as float32, scale * (q - zero_point), and F8E4M3 times its scale.

        Returns
        -------
        dict of str to ndarray
            Outputs, in order, then the observed tensors.

        Raises
        ------
        DataError : an input is missing or unknown, or has another shape or type
        """
        named = {value.name: value for value in self.inputs}
        unknown = sorted(set(feeds) - set(named))
        if unknown:
            raise DataError(f"no input is called '{unknown[0]}'; expected {sorted(named)}")
        stored = {name: _stored(value, feeds.get(name)) for name, value in named.items()}
        results = dict(self._execute(stored, observe))
        if not dequantize:
            return results
        values = {value.name: value for value in self.bmodel.graph.values()}
        return {name: _real(values[name], array) for name, array in results.items()}


def _stored(value: Value, array: np.ndarray | None) -> np.ndarray:
    if array is None:
        raise DataError(f"input '{value.name}' is missing; expected {list(value.shape)}")
    array = np.asarray(array)
    if array.shape != value.shape:
        raise DataError(
            f"input '{value.name}': shape is {list(array.shape)}; expected {list(value.shape)}"
        )
    want = value.dtype.numpy
    if array.dtype == want:
        return np.ascontiguousarray(array)
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise DataError(f"input '{value.name}': type is {array.dtype}; expected {want}")
    if value.quant is None or value.dtype.is_float:
        return np.ascontiguousarray(array, np.float32)
    if np.issubdtype(array.dtype, np.integer):
        raise DataError(f"input '{value.name}': type is {array.dtype}; expected {want} or float32")
    if not np.isfinite(array).all():
        raise DataError(f"input '{value.name}': is not finite; expected numbers to quantize")
    real = np.asarray(array, np.float64) / value.quant.scale
    whole = np.copysign(np.floor(np.abs(real) + 0.5), real) + value.quant.zero_point
    return np.clip(whole, *value.dtype.qrange).astype(want)


def _real(value: Value, array: np.ndarray) -> np.ndarray:
    if value.quant is None:
        return array.astype(np.float32, copy=False)
    if value.dtype.is_float:  # F8E4M3
        return (array.astype(np.float64) * value.quant.scale).astype(np.float32)
    centred = array.astype(np.float32) - np.float32(value.quant.zero_point)
    return centred * np.float32(value.quant.scale)
