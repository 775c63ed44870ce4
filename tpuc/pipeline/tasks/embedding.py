"""evaluation.task=embedding."""

from __future__ import annotations

import numpy as np

from tpuc.dataset import Samples
from tpuc.errors import ConfigError
from tpuc.evaluation.embedding import Embedding, Pool, pool_first, pool_mean
from tpuc.ir import Graph
from tpuc.pipeline.tasks.opened import Opened, OpenInputs

__all__ = ["open_embedding"]

_MASK = "attention_mask"
_POOLINGS = "Hint: evaluation.pooling=mean or evaluation.pooling=first"


def open_embedding(inputs: OpenInputs) -> Opened:
    """Samples in pairs, the second after the first.

    Raises
    ------
    ConfigError : the network gives a vector for each word, and evaluation.pooling does not say what
        becomes of them; or there are none
    DataError : an odd number of samples, or labels that differ within a pair
    """
    samples = inputs.samples()
    pooling = inputs.job.evaluation.pooling.name
    _check_output(inputs.graph, pooling)
    if len(samples) % 2 and inputs.job.evaluation.path is None:
        samples = samples[:-1]  # whatever is left of a dataset
    task = Embedding([str(s) for s in samples], samples.labels, _pool(samples, pooling), pooling)
    return Opened(task, samples)


def _check_output(graph: Graph, pooling: str) -> None:
    output = graph.outputs[0]
    words = len(output.shape) == 3 and output.shape[1] > 1
    if pooling == "none" and words:
        raise ConfigError(
            f"evaluation.pooling: 'none', but output '{output.name}' of shape {output.shape} has "
            f"a vector for each word. {_POOLINGS}"
        )
    if pooling != "none" and len(output.shape) != 3:
        raise ConfigError(
            f"evaluation.pooling: '{pooling}' needs a vector for each word, [B, T, D]; output "
            f"'{output.name}' has shape {output.shape}. Hint: evaluation.pooling=none"
        )


def _pool(samples: Samples, pooling: str) -> Pool | None:
    if pooling == "none":
        return None
    if pooling == "first":
        return pool_first
    if all(node.name != _MASK for node in samples.inputs):
        return pool_mean()

    def masks(first: int, count: int) -> np.ndarray:
        (batch,) = samples[first : first + count].batches(count)
        return batch[_MASK][:count]

    return pool_mean(masks)
