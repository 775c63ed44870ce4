"""Networks whose weight ranges are bad: the same function, channels scaled apart."""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node

__all__ = ["spread", "without_limits"]


def without_limits(graph: Graph) -> Graph:
    """A copy with Relu where Relu6 was, through which any channel can be scaled."""
    result = graph.clone()
    for node in result.nodes:
        if node.attrs.get("do_relu"):
            node.attrs["relu_limit"] = -1.0
    return result


def spread(graph: Graph, deviation: float) -> Graph:
    """The same network, each Conv's channels scaled apart where one Conv alone reads them.

    Parameters
    ----------
    deviation : float
        Standard deviation of the factors' logarithms.
    """
    result, chance = graph.clone(), np.random.default_rng(0)
    for node in result.nodes:
        users = node.output.users
        if node.op == "Conv" and [user.op for user in users] == ["Conv"]:
            channels = node.weight(1).shape[0]
            factor = np.exp(chance.normal(0, deviation, channels)).astype(np.float32)
            _scale(node, 1, factor.reshape(-1, 1, 1, 1))
            _scale(node, 2, factor.reshape(node.weight(2).shape))
            depthwise = users[0].integer("group") > 1
            _scale(users[0], 1, 1 / factor.reshape((-1, 1, 1, 1) if depthwise else (1, -1, 1, 1)))
    return result


def _scale(node: Node, index: int, factor: np.ndarray) -> None:
    value = node.inputs[index]
    assert value is not None and value.data is not None
    value.data = value.data * factor
