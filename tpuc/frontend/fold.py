"""Constant folding and shape arithmetic on ONNX, before conversion.

A node whose inputs are all known, and a `Shape` of a tensor whose shape is static, are evaluated
with the onnx package's own reference evaluator; only what depends on the graph's inputs remains.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tpuc.errors import ModelError
from tpuc.frontend.fold_plain import evaluate_plain
from tpuc.frontend.onnx_context import OnnxNode
from tpuc.progress import steps

if TYPE_CHECKING:
    import onnx

__all__ = ["INTEGERS", "element_types", "fold_constants", "static_shapes"]

INTEGERS = (6, 7)
"""ONNX's numbers of INT32 and INT64."""

_PLAIN = (1, *INTEGERS, 9, 11)
"""Of FLOAT, INT32, INT64, BOOL and DOUBLE."""

_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"}


def static_shapes(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """The model with the shape of every tensor inferred from its inputs' shapes."""
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:
        raise ModelError(f"{path}: shapes do not fit together ({_line(error)})") from error


def _line(error: Exception) -> str:
    return next((s for s in str(error).splitlines() if s.strip()), type(error).__name__)


def fold_constants(
    model: onnx.ModelProto, path: Path
) -> tuple[list[OnnxNode], dict[str, np.ndarray]]:
    """Evaluate everything that is known.

    Shapes are inferred anew as long as what was folded makes more of them known; the model is
    changed with it.

    Returns
    -------
    nodes : list of OnnxNode
        What is left, in program order.
    constants : dict of str to ndarray
        Initializers and folded tensors.
    """
    from onnx import numpy_helper

    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    left = _fold_once(model, constants, path)
    while any(n.op_type in ("Shape", "Size") for n in left) and len(left) < len(model.graph.node):
        _keep(model, left, constants)
        model.CopyFrom(static_shapes(model, path))
        left = _fold_once(model, constants, path)
    return [_plain(n) for n in left], constants


def _keep(model: onnx.ModelProto, nodes: list[Any], constants: dict[str, np.ndarray]) -> None:
    """Leave `nodes` in the model, with the constants that they read and nodes made before."""
    from onnx import numpy_helper

    copies = [type(n).FromString(n.SerializeToString()) for n in nodes]
    stored = {t.name for t in model.graph.initializer}
    read = {i for n in copies for i in n.input if i in constants} - stored
    for name in sorted(read):
        model.graph.initializer.append(numpy_helper.from_array(constants[name], name))
    del model.graph.value_info[:]  # says less of tensors that are constants now
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _fold_once(model: onnx.ModelProto, constants: dict[str, np.ndarray], path: Path) -> list[Any]:
    """Add what is known to `constants` and return the nodes that are left."""
    shapes = _known_shapes(model)
    nodes: list[Any] = []
    for proto in steps(model.graph.node, "folding constants"):
        known = all(not i or i in constants for i in proto.input)
        shape = shapes.get(proto.input[0]) if proto.input and proto.output else None
        if proto.op_type == "Shape" and shape is not None:
            constants[proto.output[0]] = _shape_of(proto, shape)
        elif proto.op_type == "Size" and shape is not None:
            constants[proto.output[0]] = np.array(math.prod(shape), np.int64)
        elif known and proto.op_type not in _RANDOM and not proto.domain.strip():
            results = _evaluate(proto, model, constants, path)
            constants.update(zip(proto.output, results))
        else:
            nodes.append(proto)
    return nodes


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    """ONNX's number of the element type of each tensor of a model with inferred shapes."""
    infos = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    return {info.name: info.type.tensor_type.elem_type for info in infos}


def _known_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for info in [*model.graph.input, *model.graph.value_info, *model.graph.output]:
        tensor = info.type.tensor_type
        if tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            found[info.name] = tuple(d.dim_value for d in tensor.shape.dim)
    return found


def _shape_of(proto: Any, shape: tuple[int, ...]) -> np.ndarray:
    import onnx

    attrs = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
    return np.array(shape[attrs.get("start", 0) : attrs.get("end")], np.int64)


def _evaluate(
    proto: Any, model: onnx.ModelProto, constants: dict[str, np.ndarray], path: Path
) -> list[np.ndarray]:
    import onnx

    if proto.op_type == "Constant" and proto.attribute[0].t.data_type in _PLAIN:
        return [_stored(proto, path)]
    if all(proto.input):
        attrs = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
        plain = evaluate_plain(proto.op_type, attrs, [constants[i] for i in proto.input])
        if plain is not None:
            return [plain]
    feeds = {i: constants[i] for i in proto.input if i}
    return _by_reference(proto, model, feeds, path)


def _by_reference(
    proto: Any, model: onnx.ModelProto, feeds: dict[str, np.ndarray], path: Path
) -> list[np.ndarray]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    infos = [
        onnx.helper.make_tensor_value_info(
            k, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), v.shape
        )
        for k, v in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=o) for o in proto.output]
    single = onnx.helper.make_model(
        onnx.helper.make_graph([proto], "constant", infos, outputs),
        opset_imports=model.opset_import,
        ir_version=model.ir_version,
    )
    try:
        return [np.asarray(r) for r in ReferenceEvaluator(single).run(None, feeds)]
    except Exception as error:
        where = f"{proto.op_type} '{proto.output[0]}'"
        raise ModelError(f"{path}: {where}: can not be evaluated ({_line(error)})") from error


def _stored(proto: Any, path: Path) -> np.ndarray:
    """Value of a Constant: most networks have hundreds, and evaluating each takes long."""
    from onnx import numpy_helper

    try:
        return numpy_helper.to_array(proto.attribute[0].t)
    except Exception as error:
        where = f"Constant '{proto.output[0]}'"
        raise ModelError(f"{path}: {where}: can not be read ({_line(error)})") from error


def _plain(proto: Any) -> OnnxNode:
    import onnx

    attrs = {a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute}
    text = {k: v.decode() if isinstance(v, bytes) else v for k, v in attrs.items()}
    op_type = (
        proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
    )
    return OnnxNode(op_type, tuple(proto.input), tuple(proto.output), text)
