"""ONNX file to raw Graph[top].

Steps: read and check the file, fix shapes, fold constants and shape arithmetic, convert node by
node. The result is what TPU-MLIR's importer writes before its canonicalization.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpuc.errors import ConfigError, GraphError, ModelError, UnsupportedError
from tpuc.frontend import converters
from tpuc.frontend.fold import INTEGERS, element_types, fold_constants, static_shapes
from tpuc.frontend.fold_batch_norm import fold_batch_norm
from tpuc.frontend.fold_conv_bias import fold_conv_bias
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import CONVERTERS
from tpuc.ir import DType, Graph, Value, verify, with_defaults
from tpuc.progress import steps

if TYPE_CHECKING:
    import onnx

__all__ = ["read_onnx"]

assert converters  # importing it registers every converter

_WRONG = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What Python raises in a converter where an attribute or input is not what the operator says."""

_FORMS = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "steps as MatMul, Sigmoid and Tanh"),
    **dict.fromkeys(("If", "Loop", "Scan"), "an export without control flow"),
    "NonZero": "Where",
    "OneHot": "Gather of the rows of a constant",
    "Trilu": "Mul with a constant mask",
}
"""What takes the place of operators whose own names say little."""

Shapes = Mapping[str, Sequence[int]] | Sequence[Sequence[int]]


def read_onnx(
    path: Path,
    input_shapes: Shapes | None = None,
    output_names: Sequence[str] | None = None,
    name: str | None = None,
) -> Graph:
    """Import an ONNX model.

    Parameters
    ----------
    input_shapes : mapping of input name to shape, or shapes in input order, optional
        Needed where the file leaves a dimension open; overrides those in the file.
    output_names : sequence of str, optional
        Tensors to end the graph at, instead of the file's own outputs.
    name : str, optional
        Name of the graph; the file's stem by default.

    Raises
    ------
    ModelError : not an ONNX file, truncated, external data missing, or an operator is unsupported
        (all unsupported ones are listed at once)
    ConfigError : shapes or output names do not fit the model
    """
    model = _load(path)
    _choose_outputs(model, output_names, path)
    _drop_unread(model)
    inputs = _fix_inputs(model, input_shapes, path)
    model = static_shapes(model, path)
    nodes, constants = fold_constants(model, path)
    _check_support(nodes, model, path)
    graph = Graph(name or path.stem, "top", {"platform": "ONNX"})
    context = Context(graph, _opset(model), constants, element_types(model))
    for input_name, shape in inputs.items():
        whole = context.kinds[input_name] in INTEGERS
        out = Value(input_name, shape, DType.SI32 if whole else DType.F32)
        graph.add("Input", [], [out], with_defaults("Input", {}))
        context.values[input_name] = out
    for node in steps(nodes, "importing"):
        _convert(context, node, path)
    graph.outputs = [_output(context, o.name, path) for o in model.graph.output]
    context.name_outputs([o.name for o in model.graph.output])
    graph.remove_dead()
    fold_conv_bias(graph)
    fold_batch_norm(graph)
    try:
        return verify(graph, "top")
    except GraphError as error:
        raise ModelError(f"{path}: {error}") from error


def _convert(context: Context, node: OnnxNode, path: Path) -> None:
    try:
        CONVERTERS[node.op_type](context, node)
    except ModelError as error:
        raise type(error)(f"{path}: {error}") from error
    except _WRONG as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{path}: {node}: an attribute or input is wrong ({reason})") from error


def _load(path: Path) -> onnx.ModelProto:
    import onnx

    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected an ONNX model. Hint: model.path")
    try:
        model = onnx.load(str(path), load_external_data=False)
        _check_external(model, path)
        onnx.load_external_data_for_model(model, str(path.parent))
    except ModelError:
        raise
    except Exception as error:  # protobuf raises a type of its own for each backend
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path}: not an ONNX model, or damaged ({reason})") from error
    if not model.graph.output:
        raise ModelError(f"{path}: not an ONNX model, or damaged (it has no outputs)")
    for node in model.graph.node:  # protobuf hands out bytes where text is not UTF-8
        words = (node.op_type, node.domain, *node.input, *node.output)
        if odd := [w for w in words if not isinstance(w, str)]:
            raise ModelError(f"{path}: not an ONNX model, or damaged ({odd[0]!r} is not UTF-8)")
    for tensor in model.graph.initializer:
        try:
            onnx.numpy_helper.to_array(tensor)
        except Exception as error:
            raise ModelError(f"{path}: initializer '{tensor.name}' is damaged ({error})") from error
    made = Counter(o for n in model.graph.node for o in n.output if o)
    if twice := [name for name, count in made.items() if count > 1]:
        raise ModelError(f"{path}: two nodes make the tensor '{twice[0]}'")
    return model


def _check_external(model: onnx.ModelProto, path: Path) -> None:
    import onnx

    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            location = next((e.value for e in tensor.external_data if e.key == "location"), "")
            if not (path.parent / location).is_file():
                raise ModelError(
                    f"{path}: its external data file {location} is missing; "
                    "expected it in the same folder"
                )


def _opset(model: onnx.ModelProto) -> int:
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)


def _nearest(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, 1, 0.0)
    return f"; the nearest name is '{close[0]}'" if close else ""


def _choose_outputs(model: onnx.ModelProto, names: Sequence[str] | None, path: Path) -> None:
    import onnx

    if not names:
        return
    made = [o for n in model.graph.node for o in n.output]
    for wanted in names:
        if wanted not in made:
            hint = _nearest(wanted, made)
            raise ConfigError(f"model.output_names: {path} has no tensor '{wanted}'{hint}")
    del model.graph.output[:]
    for wanted in names:
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(wanted, onnx.TensorProto.FLOAT, None)
        )


def _drop_unread(model: onnx.ModelProto) -> None:
    """Remove nodes that no output depends on, so that nobody has to support them."""
    needed = {o.name for o in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if needed.intersection(o for o in node.output if o):
            kept.append(node)
            needed.update(node.input)
            needed.update(i for a in node.attribute for n in a.g.node for i in n.input)
    if len(kept) < len(model.graph.node):
        kept.reverse()
        copies = [type(n).FromString(n.SerializeToString()) for n in kept]
        del model.graph.node[:]
        model.graph.node.extend(copies)


def _fix_inputs(
    model: onnx.ModelProto, shapes: Shapes | None, path: Path
) -> dict[str, tuple[int, ...]]:
    weights = {t.name for t in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in weights]
    given = _by_name(shapes, [i.name for i in inputs])
    fixed: dict[str, tuple[int, ...]] = {}
    for info in inputs:
        dims = info.type.tensor_type.shape.dim
        shape = given.get(info.name)
        if shape is None:
            shape = tuple(d.dim_value for d in dims)
            for i, size in enumerate(shape):
                if size < 1:
                    label = dims[i].dim_param or "?"
                    raise ConfigError(
                        f"{path}: input '{info.name}' leaves dimension {i} ('{label}') open. "
                        f"Hint: model.input_shapes={[[max(d.dim_value, 1) for d in dims]]}"
                    )
        elif info.type.tensor_type.HasField("shape") and len(shape) != len(dims):
            raise ConfigError(
                f"model.input_shapes: {list(shape)} has {len(shape)} dimensions; "
                f"input '{info.name}' of {path} has {len(dims)}"
            )
        _clear_shape(info, shape)
        fixed[info.name] = shape
    del model.graph.value_info[:]  # may contradict the shapes now fixed
    return fixed


def _clear_shape(info: Any, shape: tuple[int, ...]) -> None:
    tensor = info.type.tensor_type
    tensor.ClearField("shape")
    for size in shape:
        tensor.shape.dim.add().dim_value = size


def _by_name(shapes: Shapes | None, names: list[str]) -> dict[str, tuple[int, ...]]:
    if not shapes:
        return {}
    if not isinstance(shapes, Mapping):
        if len(shapes) != len(names):
            raise ConfigError(
                f"model.input_shapes: {len(shapes)} shapes for {len(names)} inputs ({names})"
            )
        shapes = dict(zip(names, shapes))
    for name, shape in shapes.items():
        if name not in names:
            hint = _nearest(name, names)
            raise ConfigError(f"model.input_shapes: the model has no input '{name}'{hint}")
        if any(int(d) < 1 for d in shape):
            raise ConfigError(f"model.input_shapes: {list(shape)} has a size below 1")
    return {n: tuple(int(d) for d in s) for n, s in shapes.items()}


def _check_support(nodes: Sequence[OnnxNode], model: onnx.ModelProto, path: Path) -> None:
    missing = Counter(n.op_type for n in nodes if n.op_type not in CONVERTERS)
    if missing:
        listed = ", ".join(
            f"{op} (x{count}; {_instead(op)})" for op, count in sorted(missing.items())
        )
        first = next(n for n in nodes if n.op_type in missing)
        raise UnsupportedError(
            f"{path} (opset {_opset(model)}): unsupported operators: {listed}; "
            f"the first is {first}. Hint: end the model before them with model.output_names"
        )


def _instead(op: str) -> str:
    """The supported form that comes nearest to an operator."""
    if op in _FORMS:
        return f"supported: {_FORMS[op]}"
    close = difflib.get_close_matches(op.split(".")[-1], sorted(CONVERTERS), 1, 0.5)
    return f"nearest supported: {close[0]}" if close else "nothing supported is like it"


def _output(context: Context, name: str, path: Path) -> Value:
    if name not in context.values:
        raise ModelError(f"{path}: output '{name}' does not depend on any input")
    return context.values[name]
