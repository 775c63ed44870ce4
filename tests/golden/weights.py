"""Weights of the golden networks, made from their names: the fixtures then need no weight files.

Each initializer of a skeleton ONNX file (shapes only) gets numbers that depend on nothing but its
name and shape, so the golden networks are the same on every machine.
"""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["fill_weights", "made_input", "make_weight", "strip_weights"]

_SKELETON_LIMIT = 64
"""Initializers with at most this many elements stay in the skeleton as they are."""


def make_weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Float32 numbers for one initializer: variances near 1 survive a convolution."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    if name.endswith("running_var"):
        data = rng.uniform(0.6, 1.4, shape)
    elif name.endswith("running_mean"):
        data = rng.uniform(-0.2, 0.2, shape)
    elif len(shape) == 1 and name.endswith("weight"):
        data = rng.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        data = rng.uniform(-0.2, 0.2, shape)
    else:
        fan_in = int(np.prod(shape[1:]))
        data = rng.standard_normal(shape) * np.sqrt(2.0 / fan_in)
    return data.astype(np.float32)


def made_input(index: int, shape: tuple[int, ...]) -> np.ndarray:
    """Sample `index`: a smooth random picture in [0, 1], float32, shape (N, C, H, W)."""
    rng = np.random.Generator(np.random.PCG64(1000 + index))
    n, c, h, w = shape
    coarse = rng.uniform(0.0, 1.0, (n, c, h // 8, w // 8))
    smooth = coarse.repeat(8, axis=2).repeat(8, axis=3)
    return (0.75 * smooth + 0.25 * rng.uniform(0.0, 1.0, shape)).astype(np.float32)


def _is_made(tensor: object, float_type: int) -> bool:
    size = int(np.prod(list(tensor.dims), dtype=np.int64))  # type: ignore[attr-defined]
    return tensor.data_type == float_type and size > _SKELETON_LIMIT  # type: ignore[attr-defined]


def strip_weights(model: object) -> None:
    """Drop the contents of large float initializers of an ONNX ModelProto, in place."""
    import onnx

    for tensor in model.graph.initializer:  # type: ignore[attr-defined]
        if _is_made(tensor, onnx.TensorProto.FLOAT):
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")


def fill_weights(model: object) -> None:
    """Give every large float initializer of an ONNX ModelProto its made numbers, in place."""
    import onnx

    for tensor in model.graph.initializer:  # type: ignore[attr-defined]
        if _is_made(tensor, onnx.TensorProto.FLOAT):
            tensor.raw_data = make_weight(tensor.name, tuple(tensor.dims)).tobytes()
