"""F16 simulation of EfficientNet-Lite0 against torch's float32, channels last."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from tpuc.kernels._cpu import isa_name

from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting
from tpuc.frontend.model_reader import read_model
from tpuc.ir import Graph, Node
from tpuc.lowering import lower
from tpuc.passes import canonicalize
from tpuc.processors import load_processor
from tpuc.simulator import Program

__all__ = ["lines"]

HERE = Path(__file__).parent
BATCH = 8
ROUNDS = 12
GOAL_MS = 5.0


def lines(setting: Setting) -> Iterator[Line]:
    """Milliseconds a picture, with one thread and with all."""
    graph = read_model(setting.network)
    canonicalize(graph)
    facts = yaml.safe_load((HERE.parents[1] / "conf/processor/bm1684x.yaml").read_text())
    lowered = lower(graph, None, load_processor(facts), "F16").graph
    (source,) = lowered.inputs
    shape = (BATCH, *source.shape[1:])
    pictures = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        torch.set_num_threads(threads)
        program, twin = Program(lowered, threads), _Twin(lowered)
        near = torch.from_numpy(pictures).contiguous(memory_format=torch.channels_last)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(_seconds(lambda p=program: p.run({source.name: pictures})))
            theirs.append(_seconds(lambda t=twin, x=near: t.run(x)))
        mine, other = (min(found) / BATCH * 1e3 for found in (ours, theirs))
        goal = threads > 1
        yield Line(
            f"F16 {graph.name}, batch {BATCH}, {threads} threads, {isa_name()}",
            f"{mine:.2f} ms/picture",
            f"torch {other:.2f} ms, never rounding",
            f"at most {GOAL_MS:.0f} ms, not slower" if goal else "",
            mine <= min(GOAL_MS, other) if goal else None,
        )


def _seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class _Twin:
    """The same layers by torch in float32, weights laid out once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.weights: dict[int, torch.Tensor] = {}
        for node in graph.nodes:
            for value in node.inputs:
                if value is not None and value.data is not None:
                    weight = torch.from_numpy(np.array(value.data, np.float32))
                    last = torch.channels_last if weight.dim() == 4 else torch.contiguous_format
                    self.weights[id(value)] = weight.contiguous(memory_format=last)

    def run(self, x: torch.Tensor) -> torch.Tensor:
        live: dict[int, torch.Tensor] = {}
        with torch.inference_mode():
            for node in self.graph.nodes:
                operands = [
                    None if v is None else self.weights.get(id(v), live.get(id(v)))
                    for v in node.inputs
                ]
                made = x if node.op == "Input" else _layer(node, operands)
                if node.attrs.get("do_relu"):
                    limit = node.number("relu_limit")
                    made = made.clamp_(0.0, limit if limit > 0 else None)
                live[id(node.output)] = made
        return made


def _layer(node: Node, operands: list[torch.Tensor | None]) -> torch.Tensor:
    x = operands[0]
    if node.op == "Conv2D":
        top, left, bottom, right = node.ints("pads")
        pads = (top, left)
        if (top, left) != (bottom, right):
            x, pads = F.pad(x, (left, right, top, bottom)), (0, 0)
        return F.conv2d(
            x, operands[1], operands[2], node.ints("strides"), pads, 1, node.integer("group")
        )
    if node.op == "MatMul":
        right = operands[1].T if node.attrs["right_transpose"] else operands[1]
        return torch.addmm(operands[2], x, right)
    if node.op == "Pool2D":
        return x.mean((2, 3), keepdim=True)
    if node.op == "Add":
        return x + operands[1]
    if node.op in ("Reshape", "Squeeze"):
        return x.reshape(len(x), *node.output.shape[1:])
    assert node.op == "Cast", node.op
    return x
