"""Float-to-float rewrites: raw Graph[top] to TPU-MLIR's canonical form.

Each file is one rewrite, `run(graph) -> PassResult`. `CANONICAL_PASSES` is the whole story, in
order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tpuc.errors import GraphError
from tpuc.ir import Graph, verify
from tpuc.passes import (
    drop_tiles,
    expand_composites,
    fold_bias,
    fold_constants,
    fold_pad,
    fold_scale,
    fuse_activation,
    fuse_norm,
    fuse_relu,
    fuse_rope,
    merge_convs,
    merge_masks,
    merge_moves,
    merge_slices,
    move_reshape,
    remove_identity,
    simplify_constants,
    sink_permute,
    split_conv,
    split_matmul,
    undo_permutes,
)
from tpuc.passes.add_postprocess import POSTPROCESS, add_postprocess
from tpuc.passes.result import PassResult
from tpuc.progress import steps

__all__ = ["CANONICAL_PASSES", "POSTPROCESS", "PassResult", "add_postprocess", "canonicalize"]

CANONICAL_PASSES: list[tuple[str, Callable[[Graph], PassResult]]] = [
    ("fuse_norm", fuse_norm.run),
    ("expand_composites", expand_composites.run),
    ("drop_tiles", drop_tiles.run),
    ("merge_moves", merge_moves.run),
    ("merge_slices", merge_slices.run),
    ("remove_identity", remove_identity.run),
    ("fuse_activation", fuse_activation.run),
    ("fold_bias", fold_bias.run),
    ("sink_permute", sink_permute.run),
    ("fuse_rope", fuse_rope.run),
    ("split_matmul", split_matmul.run),
    ("merge_masks", merge_masks.run),
    ("simplify_constants", simplify_constants.run),
    ("split_conv", split_conv.run),
    ("undo_permutes", undo_permutes.run),
    ("move_reshape", move_reshape.run),
    ("fold_scale", fold_scale.run),
    ("fold_pad", fold_pad.run),
    ("fuse_relu", fuse_relu.run),
    ("fold_constants", fold_constants.run),
    ("merge_convs", merge_convs.run),
]


def canonicalize(graph: Graph) -> list[PassResult]:
    """Run every pass in place and say what each did.

    Raises
    ------
    GraphError : a pass left an illegal graph; the message names it and those before it
    """
    verify(graph, "top")
    results: list[PassResult] = []
    for name, run in steps(CANONICAL_PASSES, "simplifying"):
        results.append(replace(run(graph), name=name))
        try:
            verify(graph, "top")
        except GraphError as error:
            before = ", ".join(r.name for r in results[:-1]) or "nothing"
            raise GraphError(f"pass {name} (after {before}): {error}") from error
    return results
