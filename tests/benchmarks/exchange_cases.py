"""Networks that are exchanged with TPU-MLIR: small, with made-up weights, of many families."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tests.golden import networks, transformers
from tests.golden.weights import fill_weights, made_input

__all__ = ["CASES", "Case"]

PATTERNS = Path(__file__).resolve().parent.parent / "golden" / "patterns"
Sample = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One network.

    Parameters
    ----------
    write : function of a folder
        Puts the model file there and returns it.
    sample : function of an index
        Arrays by input.
    postprocess : str
        Decoding of a detector that is put behind it; empty: none.
    """

    write: Callable[[Path], Path]
    sample: Callable[[int], Sample]
    postprocess: str = ""


def _of_patterns(name: str) -> Case:
    def write(folder: Path) -> Path:
        model = onnx.ModelProto.FromString(
            gzip.decompress((PATTERNS / f"{name}.onnx.gz").read_bytes())
        )
        fill_weights(model)
        path = folder / f"{name}.onnx"
        onnx.save(model, str(path))
        return path

    model = onnx.ModelProto.FromString(gzip.decompress((PATTERNS / f"{name}.onnx.gz").read_bytes()))
    shapes = {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in model.graph.input
    }
    return Case(write, lambda index: {k: _numbers(s, index) for k, s in shapes.items()})


def _numbers(shape: tuple[int, ...], index: int) -> np.ndarray:
    if len(shape) == 4:
        return made_input(index, shape)
    random = np.random.default_rng(index)
    if len(shape) == 2:
        return random.integers(0, 2, shape).astype(np.float32)
    return random.random(shape, np.float32)


def _of_transformers(name: str, postprocess: str = "") -> Case:
    return Case(
        lambda folder: transformers.onnx_file(name, folder),
        lambda index: transformers.sample(name, index),
        postprocess,
    )


def _traced(make: Callable[[], object], like: Callable[[int], Sample]) -> Case:
    def write(folder: Path) -> Path:
        import torch

        torch.manual_seed(0)
        network = make().eval()  # type: ignore[attr-defined]
        for value in network.parameters():
            value.data += torch.randn_like(value) * 0.01
        given = tuple(torch.from_numpy(array) for array in like(0).values())
        path = folder / "net.pt"
        torch.jit.trace(network, given, check_trace=False).save(str(path))
        return path

    return Case(write, like)


def _pictures(side: int) -> Callable[[int], Sample]:
    return lambda index: {"x": made_input(index, (1, 3, side, side))}


def _of_torch() -> Iterator[tuple[str, Case]]:
    from tests.golden import pattern_detectors as detectors
    from tests.golden import pattern_networks as plain
    from tests.golden import transformer_nets as nets

    yield "vit.pt", _traced(nets.Vit, _pictures(32))
    yield "deit.pt", _traced(lambda: nets.Vit("index"), _pictures(32))
    yield "swin.pt", _traced(nets.Swin, _pictures(64))
    yield "cswin.pt", _traced(plain.Cswin, _pictures(32))
    yield "eva02.pt", _traced(plain.Eva02, _pictures(32))
    yield "yolov5.pt", _traced(nets.YoloV5, _pictures(64))
    yield "yolov7.pt", _traced(lambda: detectors.anchors(7), _pictures(64))
    yield "yolov8.pt", _traced(nets.YoloV8, _pictures(64))
    yield "yolov11.pt", _traced(lambda: nets.YoloV8(True), _pictures(64))


def _of_zoo(name: str, sample: Callable[[int], Sample]) -> Case:
    """A trained network of the recipes."""

    def write(folder: Path) -> Path:
        from tpuc.zoo import resolve

        return resolve(f"zoo:{name}", folder / "zoo")

    return Case(write, sample)


def _words(index: int) -> Sample:
    """One sentence of up to 32 words, as numbers."""
    random, long = np.random.default_rng(index), 32 - 5 * (index % 4)
    there = (np.arange(32) < long).astype(np.int64)[None]
    words = random.integers(1000, 20000, (1, 32)) * there
    return {"input_ids": words, "attention_mask": there, "token_type_ids": 0 * there}


def _picture(side: int, channels: int = 3, scale: float = 2.0) -> Callable[[int], Sample]:
    return lambda index: {
        "x": (made_input(index, (1, channels, side, side)) - 0.5) * np.float32(scale)
    }


_TRAINED = {
    "efficientnet_lite0": _picture(224),
    "vit_focus": _picture(224, scale=4.0),
    "tiny_yolo": lambda index: {"x": made_input(index, (1, 3, 128, 128))},
    "digits": lambda index: {"x": made_input(index, (1, 1, 8, 8))},
    "minilm": _words,
}
_DRAWN = sorted(path.name.partition(".")[0] for path in PATTERNS.glob("*.onnx.gz"))

CASES: dict[str, Case] = {
    **{
        name: Case(
            lambda folder, name=name: networks.onnx_file(name, folder),  # type: ignore[misc]
            lambda index: {"input": networks.sample(index)},
        )
        for name in networks.NAMES
    },
    **{f"{name} (trained)": _of_zoo(name, sample) for name, sample in _TRAINED.items()},
    **{f"{name} (small)": _of_transformers(name) for name in transformers.NAMES},
    **{
        f"{name} with add_postprocess": _of_transformers(name, name)
        for name in ("yolov5", "yolov8", "yolov11")
    },
    **{name: _of_patterns(name) for name in _DRAWN},
    **dict(_of_torch()),
}
