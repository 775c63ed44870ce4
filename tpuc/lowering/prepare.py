"""Last rewrite of the Top graph before the rules, as TPU-MLIR does per processor.

    Conv, Scale -> Conv:  filter[o] *= w[o], bias[o] = bias[o] * w[o] + b[o]   (float32)

The Conv must have no relu and no other user. It takes the Scale's name, and so its threshold.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node, Value

__all__ = ["fold_scales"]


def fold_scales(graph: Graph) -> Graph:
    """A copy in which every Scale that can be is folded into the Conv before it."""
    folded = graph.clone()
    for node in folded:
        source = node.inputs[0] if node.op == "Scale" else None
        conv = source.producer if source is not None else None
        if source is not None and conv is not None and _can_fold(folded, conv, node, source):
            _fold(folded, conv, node)
    return folded


def _can_fold(graph: Graph, conv: Node, scale: Node, source: Value) -> bool:
    weights = (*conv.inputs[1:], *scale.inputs[1:])
    return (
        conv.op == "Conv"
        and not conv.attrs["do_relu"]
        and len(source.uses) == 1
        and not any(source is v for v in graph.outputs)
        and all(v is None or v.is_weight for v in weights)
    )


def _fold(graph: Graph, conv: Node, scale: Node) -> None:
    factor, shift = (scale.weight(i).reshape(-1) for i in (1, 2))
    filters = conv.weight(1)
    bias = conv.inputs[2] if len(conv.inputs) > 2 else None
    added = shift if bias is None else conv.weight(2) * factor + shift
    turned = filters * factor.reshape(-1, *([1] * (filters.ndim - 1)))
    old, new = conv.output, scale.output
    graph.set_inputs(
        conv,
        [
            conv.inputs[0],
            Value(f"{new.name}_filter", turned.shape, data=np.ascontiguousarray(turned)),
            Value(f"{new.name}_bias", added.shape, data=np.ascontiguousarray(added)),
        ],
    )
    conv.attrs.update(do_relu=scale.attrs["do_relu"], relu_limit=scale.attrs["relu_limit"])
    graph.replace_uses(new, old)
    graph.remove(scale)
    old.name = new.name
