"""Stage import: a model file to a canonical Graph[top] with its preprocessing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpuc.cache import StageCache, digest_file
from tpuc.config import Job
from tpuc.errors import ConfigError
from tpuc.files import write_whole
from tpuc.frontend import Preprocess, attach_preprocess, model_format, read_model
from tpuc.ir import Graph
from tpuc.ir.text import print_mlir, save_weights
from tpuc.ir.text_parse import load_mlir, weight_file
from tpuc.passes import add_postprocess, canonicalize

__all__ = ["Imported", "import_model", "model_name", "model_path"]


def model_path(job: Job, zoo: Path) -> Path:
    """The model file; a network of the zoo is made if need be."""
    from tpuc.zoo import resolve

    assert job.model.path is not None
    return resolve(job.model.path, zoo)


def model_name(job: Job, path: Path) -> str:
    """Name of the network in files and reports: letters, digits and underscores."""
    name = job.model.name or path.stem
    return "".join(c if c.isalnum() or c == "_" else "_" for c in name)


def _facts(job: Job, path: Path) -> dict[str, Any]:
    preprocess = {k: getattr(v, "name", v) for k, v in vars(job.model.preprocess).items()}
    external = _external(job, path)
    return {
        "model": digest_file(path),
        "external": digest_file(external) if external is not None else "",
        "name": model_name(job, path),
        "format": job.model.format.name,
        "input_shapes": job.model.input_shapes,
        "output_names": job.model.output_names,
        "preprocess": preprocess,
        "add_postprocess": getattr(job.model.add_postprocess, "name", None),
    }


def _external(job: Job, path: Path) -> Path | None:
    """The file that holds a model's weights, where they lie apart."""
    if model_format(path, job.model.format.name) == "mlir":
        return weight_file(path)
    beside = path.with_suffix(path.suffix + ".data")
    return beside if beside.is_file() else None


@dataclass(frozen=True)
class Imported:
    """A canonical graph, and where a pass nearly applied (pass, reason, ops)."""

    graph: Graph
    skips: tuple[tuple[str, str, tuple[str, ...]], ...]
    cached: bool


def import_model(job: Job, path: Path, cache: StageCache) -> Imported:
    """Import, canonicalize and attach preprocessing; from the cache where possible.

    Raises
    ------
    ModelError, ConfigError : as `tpuc.frontend`
    """
    name = model_name(job, path)

    def compute(folder: Path) -> None:
        graph = _read(job, path, name)
        results = []
        if model_format(path, job.model.format.name) != "mlir":
            results = canonicalize(graph)
            _preprocess(job, graph)
            if job.model.add_postprocess is not None:
                add_postprocess(graph, job.model.add_postprocess.name)
        weights = f"{name}_top_weights.npz"
        save_weights(graph, folder / weights)
        write_whole(folder / f"{name}.mlir", print_mlir(graph, weights))
        skips = [(r.name, s.reason, s.nodes) for r in results for s in r.skips]
        write_whole(folder / "skips.json", json.dumps(skips))

    place, cached = cache.get("import", _facts(job, path), compute)
    found = json.loads((place / "skips.json").read_text())
    skips = tuple((str(p), str(r), tuple(map(str, n))) for p, r, n in found)
    return Imported(load_mlir(place / f"{name}.mlir"), skips, cached)


def _read(job: Job, path: Path, name: str) -> Graph:
    model = job.model
    settled = model_format(path, model.format.name) == "mlir"
    if settled and model.preprocess != type(model.preprocess)():
        raise ConfigError(
            f"model.preprocess: {path} is MLIR and holds its own. "
            "Hint: leave it out, or import the ONNX or TorchScript file"
        )
    if settled and model.add_postprocess is not None:
        raise ConfigError(
            f"model.add_postprocess: {path} is MLIR, which is built as it is. "
            "Hint: import the ONNX or TorchScript file"
        )
    return read_model(path, model.format.name, model.input_shapes, model.output_names, name)


def _preprocess(job: Job, graph: Graph) -> None:
    p = job.model.preprocess
    dims = tuple(p.resize_dims) if p.resize_dims else None
    attach_preprocess(
        graph,
        Preprocess(
            dims,  # type: ignore[arg-type]
            p.keep_aspect_ratio,
            p.keep_ratio_mode.name,
            p.pad_value,
            p.pad_type.name,
            tuple(p.mean),
            tuple(p.scale),
            p.pixel_format.name,
            p.channel_format.name,
        ),
    )
