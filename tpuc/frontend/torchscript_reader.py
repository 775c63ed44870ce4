"""TorchScript file (torch.jit.trace or torch.jit.script, saved) to raw Graph[top].

The file is read by `torch.jit.load` only, which runs no pickled code. Op names are the debug names
of the TorchScript graph, as in TPU-MLIR's importer.
"""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tpuc.errors import ConfigError, ModelError, UnsupportedError
from tpuc.ir import Graph, Value, verify, with_defaults

__all__ = ["read_torchscript"]

Shapes = Mapping[str, Sequence[int]] | Sequence[Sequence[int]]


def read_torchscript(
    path: Path,
    input_shapes: Shapes | None,
    output_names: Sequence[str] | None = None,
    name: str | None = None,
) -> Graph:
    """Import a TorchScript model.

    Parameters
    ----------
    input_shapes : shapes in input order, or mapping of input name to shape
        Required: the file does not hold them.
    output_names : sequence of str, optional
        Values to end the graph at, by their debug names, instead of the model's own outputs.
    name : str, optional
        Name of the graph; the file's stem by default.

    Raises
    ------
    ModelError : not a TorchScript file, or an operator is unsupported (all are listed at once)
    ConfigError : shapes or output names do not fit the model
    """
    from tpuc.frontend import aten
    from tpuc.frontend.torchscript_context import TorchContext
    from tpuc.frontend.torchscript_walk import Problems, walk

    assert aten  # importing it registers every converter
    model = _load(path)
    script = model.inlined_graph
    graph = Graph(name or path.stem, "top", {"platform": "TORCH"})
    context = TorchContext(graph)
    self_input, *inputs = list(script.inputs())
    context.known[self_input.debugName()] = model
    names = [i.debugName() for i in inputs]
    for input_name, shape in _shapes(path, names, input_shapes).items():
        out = Value(input_name, shape)
        graph.add("Input", [], [out], with_defaults("Input", {}))
        context.known[input_name] = out
    problems = Problems()
    walk(script, context, problems, set(output_names or ()))
    wanted = _wanted(script, context, output_names, path)
    if problems:
        hint = "Hint: end the model before them with model.output_names"
        raise UnsupportedError(f"{path}: {problems}. {hint}")
    graph.outputs = [v for w in wanted for v in _flat(context.known.get(w), w, path)]
    graph.remove_dead()
    return verify(graph, "top")


def _load(path: Path) -> Any:
    import torch

    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected a TorchScript model. Hint: model.path")
    kind = "expected what torch.jit.save writes. Hint: torch.jit.trace(model.eval(), x).save(...)"
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path}: not a TorchScript model, or damaged; {kind}")
    try:
        model = torch.jit.load(str(path), map_location="cpu")
    except Exception as error:  # torch raises RuntimeError, and others for damaged archives
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{path}: not a TorchScript model, or damaged ({reason}); {kind}"
        ) from error
    return model.eval()


def _shapes(path: Path, names: list[str], given: Shapes | None) -> dict[str, tuple[int, ...]]:
    example = [[1, 3, 224, 224]] * len(names)
    if not given:
        raise ConfigError(
            f"{path}: a TorchScript file does not hold the shapes of its inputs ({names}). "
            f"Hint: model.input_shapes={example}"
        )
    if not isinstance(given, Mapping):
        if len(given) != len(names):
            raise ConfigError(
                f"model.input_shapes: {len(given)} shapes for {len(names)} inputs ({names})"
            )
        given = dict(zip(names, given))
    for name in given:
        if name not in names:
            raise ConfigError(
                f"model.input_shapes: the model has no input '{name}'; it has {names}"
            )
    missing = [n for n in names if n not in given]
    if missing:
        raise ConfigError(f"model.input_shapes: no shape for input '{missing[0]}'")
    for shape in given.values():
        if any(int(d) < 1 for d in shape):
            raise ConfigError(f"model.input_shapes: {list(shape)} has a size below 1")
    return {n: tuple(int(d) for d in given[n]) for n in names}


def _wanted(script: Any, context: Any, names: Sequence[str] | None, path: Path) -> list[str]:
    if not names:
        return [o.debugName() for o in script.outputs()]
    for wanted in names:
        if wanted not in context.known:
            close = difflib.get_close_matches(wanted, list(context.known), 1, 0.0)
            raise ConfigError(
                f"model.output_names: {path} has no value '{wanted}'; "
                f"the nearest name is '{close[0]}'"
            )
    return list(names)


def _flat(item: object, name: str, path: Path) -> list[Value]:
    """Outputs in order, out of tuples, lists and dictionaries."""
    if isinstance(item, Value):
        return [item]
    if isinstance(item, dict):
        item = list(item.values())
    if isinstance(item, list | tuple) and item:
        return [v for i in item for v in _flat(i, name, path)]
    raise ModelError(f"{path}: output '{name}' does not depend on any input")
