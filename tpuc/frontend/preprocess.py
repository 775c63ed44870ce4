"""Attaches the preprocessing of pictures to a graph's Input, as `model_transform` does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.errors import ConfigError
from tpuc.ir import Graph, Node

__all__ = ["Preprocess", "attach_preprocess"]

_CHANNELS = {"bgr": 3, "rgb": 3, "gray": 1, "rgba": 4}
_CHOICES: dict[str, tuple[str, ...]] = {
    "pixel_format": tuple(_CHANNELS),
    "channel_format": ("nchw", "nhwc"),
    "keep_ratio_mode": ("letterbox", "short_side_scale"),
    "pad_type": ("center", "normal"),
}


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes a tensor: resize, crop, colour order, (x - mean) * scale.

    Parameters
    ----------
    resize_dims : tuple of int, optional
        (height, width) to resize to; the network's own size by default. Larger than the network's
        size means: resize, then cut out the centre.
    keep_aspect_ratio : bool
        Resize without distortion.
    keep_ratio_mode : {'letterbox', 'short_side_scale'}
    pad_value : int
        Colour of the letterbox's border.
    pad_type : {'center', 'normal'}
        Where the picture sits in the letterbox: centre, or top left.
    mean, scale : tuple of float
        One number for each channel, in the order of `pixel_format`; used in float32.
    pixel_format : {'bgr', 'rgb', 'gray', 'rgba'}
    channel_format : {'nchw', 'nhwc'}
    """

    resize_dims: tuple[int, int] | None = None
    keep_aspect_ratio: bool = False
    keep_ratio_mode: str = "letterbox"
    pad_value: int = 0
    pad_type: str = "center"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    pixel_format: str = "bgr"
    channel_format: str = "nchw"


def attach_preprocess(graph: Graph, preprocess: Preprocess) -> list[str]:
    """Write the preprocessing into every Input that can hold a picture.

    Returns
    -------
    list of str
        Names of those inputs; empty when the network takes no pictures.

    Raises
    ------
    ConfigError : a word is unknown, numbers of mean or scale do not fit the channels, or sizes do
        not fit
    """
    _check(preprocess)
    pictures = []
    for node in graph.nodes:
        if node.op == "Input" and _is_picture(node, preprocess):
            _attach(node, preprocess)
            pictures.append(node.name)
    return pictures


def _check(p: Preprocess) -> None:
    for key, allowed in _CHOICES.items():
        if getattr(p, key) not in allowed:
            raise ConfigError(
                f"model.preprocess.{key}: '{getattr(p, key)}'; expected one of {', '.join(allowed)}"
            )
    channels = _CHANNELS[p.pixel_format]
    for key in ("mean", "scale"):
        numbers = getattr(p, key)
        if len(numbers) != channels and (channels > 1 or not numbers):
            raise ConfigError(
                f"model.preprocess.{key}: has {len(numbers)} numbers; "
                f"expected {channels} for pixel_format={p.pixel_format}"
            )
        if not np.isfinite(numbers).all():
            raise ConfigError(f"model.preprocess.{key}: {list(numbers)}; expected finite numbers")
    if 0.0 in p.scale[:channels]:
        raise ConfigError("model.preprocess.scale: 0 would erase the picture; expected non-zero")
    if not 0 <= p.pad_value <= 255:
        raise ConfigError(f"model.preprocess.pad_value: {p.pad_value}; expected 0 to 255")
    if p.resize_dims is not None and (len(p.resize_dims) != 2 or min(p.resize_dims) < 1):
        raise ConfigError(
            f"model.preprocess.resize_dims: {list(p.resize_dims)}; expected height and width"
        )


def _is_picture(node: Node, p: Preprocess) -> bool:
    shape = node.output.shape
    if len(shape) != 4:
        return False
    channels = shape[1] if p.channel_format == "nchw" else shape[3]
    return channels == _CHANNELS[p.pixel_format]


def _attach(node: Node, p: Preprocess) -> None:
    shape = node.output.shape
    size = shape[2:] if p.channel_format == "nchw" else shape[1:3]
    resize = p.resize_dims or size
    if resize[0] < size[0] or resize[1] < size[1]:
        raise ConfigError(
            f"model.preprocess.resize_dims: {list(resize)} is smaller than "
            f"input '{node.name}' ({list(size)})"
        )
    node.attrs.update(
        channel_format=p.channel_format,
        do_preprocess=True,
        keep_aspect_ratio=p.keep_aspect_ratio,
        keep_ratio_mode=p.keep_ratio_mode,
        mean=_single(p.mean),
        pad_type=p.pad_type,
        pad_value=p.pad_value,
        pixel_format=p.pixel_format,
        resize_dims=tuple(resize),
        scale=_single(p.scale),
        yuv_type="",
    )


def _single(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(np.asarray(numbers, np.float32).tolist())
