"""Bias correction: puts what quantization adds to a channel on average into its bias.

    error[c] = mean over samples and pixels of (float - lowered output),   bias[c] += error[c]

for Conv and MatMul whose lowered output has a cosine below `min_layer_cos`, in program order:
errors are measured behind layers that are corrected already. A layer that does not gain keeps its
bias; so does the whole network if its outputs come no nearer to float. TPU-MLIR's `--bc` (numerics:
Nagel et al. 2019, empirical bias correction) runs the network from its inputs for every layer;
here one pass serves all layers.
"""

from __future__ import annotations

import numpy as np

from tpuc.correction.bench import Bench, Walk
from tpuc.correction.layers import channel_axis, weighted_layers
from tpuc.correction.result import Corrected, LayerNote
from tpuc.ir import Graph
from tpuc.progress import progress

__all__ = ["correct_biases", "move_bias"]


def correct_biases(graph: Graph, bench: Bench, min_layer_cos: float = 0.99) -> Corrected:
    """Correct the biases of a network.

    Parameters
    ----------
    graph : Graph
        Dialect `top`; not changed.
    min_layer_cos : float
        Layers at least as similar as this are left alone.
    """
    walk = Walk(graph, bench)
    layers, skipped = weighted_layers(walk.graph, walk.lowered)
    notes = list(skipped)
    for name in progress(layers, len(layers), "correcting biases"):
        walk.arrive(name)
        notes.append(_correct(walk, name, min_layer_cos))
    before, after = walk.output_cosines()
    if after <= before:
        notes = [LayerNote("outputs", before, after, "no nearer to float: everything undone")]
        return Corrected(graph, tuple(notes), before, before)
    return Corrected(walk.graph, tuple(notes), before, after)


def _correct(walk: Walk, name: str, min_layer_cos: float) -> LayerNote:
    node = walk.nodes[name]
    gap = walk.gap(name, axis=channel_axis(node))
    if gap.cos >= min_layer_cos:
        return LayerNote(name, gap.cos, gap.cos, f"not below {min_layer_cos:g}")
    old = node.inputs[2] if len(node.inputs) > 2 else None
    if old is None or old.data is None:
        return LayerNote(name, gap.cos, gap.cos, "it has no bias")
    after = move_bias(walk, name, gap.error)
    if after <= gap.cos:
        walk.put(name, {2: old.data})
        return LayerNote(name, gap.cos, gap.cos, "no more similar with another bias")
    moved = float(np.abs(gap.error).max())
    return LayerNote(name, gap.cos, after, f"bias moved by {moved:.3g} at most")


def move_bias(walk: Walk, name: str, error: np.ndarray) -> float:
    """Add `error` to a bias; the layer's cosine afterwards."""
    node = walk.nodes[name]
    bias = node.weight(2)
    moved = (bias.astype(np.float64).reshape(-1) + error).astype(np.float32)
    walk.put(name, {2: moved.reshape(bias.shape)})
    return walk.gap(name, axis=channel_axis(node)).cos
