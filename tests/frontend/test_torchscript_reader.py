"""TorchScript import: operators without a golden model, folding, and bad input."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tpuc.errors import ConfigError, ModelError, UnsupportedError
from tpuc.execute import run
from tpuc.frontend import model_format, read_model, read_torchscript
from tpuc.ir import Graph
from tpuc.passes import canonicalize

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
GOLDEN = Path(__file__).parents[1] / "golden"


class Wrap(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: Tensor) -> object:
        return self.function(*x)


def traced(folder: Path, model: nn.Module | Callable, *shapes: tuple[int, ...]) -> Path:
    module = model if isinstance(model, nn.Module) else Wrap(model)
    inputs = tuple(torch.rand(s) for s in shapes or [(1, 4, 8, 8)])
    torch.jit.trace(module.eval(), inputs).save(str(folder / "m.pt"))
    return folder / "m.pt"


def check_equal(path: Path, *shapes: tuple[int, ...]) -> Graph:
    """Import, canonicalize, and compare with torch; return the graph."""
    shapes = shapes or ((1, 4, 8, 8),)
    generator = torch.Generator().manual_seed(5)
    inputs = [torch.randn(s, generator=generator) for s in shapes]
    with torch.inference_mode():
        wanted = torch.jit.load(str(path))(*inputs)
    wanted = wanted if isinstance(wanted, tuple | list) else (wanted,)
    graph = read_torchscript(path, shapes)
    canonicalize(graph)
    results = run(graph, {v.name: x.numpy() for v, x in zip(graph.inputs, inputs)})
    for value, y in zip(graph.outputs, wanted, strict=True):
        assert value.shape == tuple(y.shape)
        np.testing.assert_allclose(results[value.name], y.numpy(), rtol=1e-5, atol=1e-5)
    return graph


INDEX = torch.tensor([3, 0, -1])
MASK = torch.ones(8, 8).triu(1).bool()
TABLE = torch.linspace(-1, 1, 12).reshape(3, 4)
FUNCTIONS: dict[str, Callable] = {
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "reciprocal": lambda x: 2 / (x.abs() + 1),
    "maximum": lambda x: torch.maximum(x, x * 0.5),
    "minimum": lambda x: torch.minimum(x, -x),
    "amax": lambda x: x.amax((2, 3)),
    "amin": lambda x: x.amin(1, keepdim=True),
    "max_of_all": lambda x: x.max().reshape(1),
    "mean_of_all": lambda x: x.mean().reshape(1),
    "sum_of_all": lambda x: x.sum().reshape(1),
    "square": torch.square,
    "in_place": lambda x: (x * 2).add_(1).relu_().mul_(3).clamp_(0, 4),
    "pool_default_stride": lambda x: F.max_pool2d(x, 2),
    "avg_pool_ceil": lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
    "avg_pool_ceil_padded": lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
    "max_pool_ceil_padded": lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    "adaptive_max": lambda x: F.adaptive_max_pool2d(x, 2),
    "adaptive_none": lambda x: F.adaptive_avg_pool2d(x, (None, 4)),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 2),
    "unbind": lambda x: x.unbind(1)[2],
    "chunk_uneven": lambda x: x.chunk(3, 2)[2],
    "split_uneven": lambda x: torch.split(x, 3, 1),
    "slice_of_slice": lambda x: x[:, 1:3, ::2, 1:-1],
    "select_last": lambda x: x[:, -1],
    "index": lambda x: x[:, INDEX],
    "index_select": lambda x: x.index_select(2, INDEX.clamp(0)),
    "cat_constant": lambda x: torch.cat([x, torch.ones(1, 1, 8, 8)], 1),
    "squeeze_all": lambda x: x[:, :1].squeeze(),
    "squeeze_none": lambda x: x.squeeze(1) + 1,
    "expand_as": lambda x: x.mean((2, 3), keepdim=True).expand_as(x),
    "expand_new_axis": lambda x: x.mean((2, 3)).expand(2, 1, 4) * 2,
    "size_arithmetic": lambda x: x.reshape(x.size(0), x.shape[1] // 2, -1, x.shape[-1] * 2),
    "pad_nothing": lambda x: F.pad(x, (0, 0, 0, 0)) + 1,
    "pad_channels": lambda x: F.pad(x, (0, 0, 0, 0, 1, 2)),
    "matmul_constant": lambda x: x.mean((2, 3)) @ TABLE.t(),
    "bmm": lambda x: torch.bmm(x[0], x[0].transpose(1, 2)),
    "flip": lambda x: x.flip(2) + x,
    "flip_several_from_the_end": lambda x: torch.flip(x, (-1, 1)) * 2,
    "flip_nothing": lambda x: x.flip(()) + 1,
    "flip_output": lambda x: x.flip(3),
    "masked_fill": lambda x: x.masked_fill(x > 0.3, -5.0),
    "masked_fill_in_place": lambda x: (x * 1).masked_fill_(x < 0, 2),
    "masked_fill_tensor": lambda x: x.masked_fill(x > 0.3, torch.tensor(1.5)),
    "masked_fill_computed": lambda x: x.masked_fill(x > 0.3, x.mean()),
    "masked_fill_known_mask": lambda x: x.masked_fill(MASK, float("-inf")).softmax(-1),
    "masked_fill_wide": lambda x: x.mean(1, keepdim=True).masked_fill(x > 0.3, 4.0),
    "masked_fill_narrow": lambda x: x.masked_fill(x.mean(1, keepdim=True) > 0.1, 4.0),
    "masked_fill_inverted": lambda x: x.masked_fill(~(x > 0.3), 0.0),
    "masked_fill_of_numbers": lambda x: torch.zeros(1, 4, 8, 8).masked_fill(x > 0.3, 1.0) + x,
    "logic": lambda x: ((x > 0.3) & (x < 1)) * 1.0 + ((x < -1) | (x == 0)).float(),
    "logic_known": lambda x: (MASK ^ (x > 0.2)).float() + (x > 0.5).bitwise_and(MASK),
    "logic_of_numbers": lambda x: torch.logical_or(x.relu(), x > -0.5) * x,
    "logic_not": lambda x: torch.logical_not(x.relu()).float() + torch.logical_xor(x, x > 0),
    "dictionary": lambda x: {"a": x + 1, "b": x * 2}["b"],
    "constants_folded": lambda x: x * (torch.arange(4).reshape(1, 4, 1, 1) * 0.5 + 1).sqrt(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_operator_equals_torch(tmp_path: Path, name: str) -> None:
    check_equal(traced(tmp_path, FUNCTIONS[name]))


MODULES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "conv1d": (nn.Conv1d(4, 6, 3, 2, 1), (1, 4, 9)),
    "conv_valid": (nn.Conv2d(4, 6, 3, padding="valid"), (1, 4, 8, 8)),
    "conv_same_dilated": (nn.Conv2d(4, 6, 3, padding="same", dilation=2), (2, 4, 8, 8)),
    "norm_not_affine": (nn.BatchNorm2d(4, affine=False), (1, 4, 8, 8)),
    "linear_3d": (nn.Linear(8, 3), (2, 5, 8)),
    "dropout": (nn.Sequential(nn.Dropout(), nn.ReLU(), nn.Dropout2d()), (1, 4, 8, 8)),
    "up": (nn.Upsample(scale_factor=(2, 3)), (1, 4, 8, 8)),
    "bilinear_up": (nn.UpsamplingBilinear2d(scale_factor=2), (1, 4, 5, 5)),
}


@pytest.mark.parametrize("name", MODULES)
def test_module_equals_torch(tmp_path: Path, name: str) -> None:
    module, shape = MODULES[name]
    torch.manual_seed(0)
    check_equal(traced(tmp_path, module, shape), shape)


class Branching(nn.Module):
    def __init__(self, wide: bool) -> None:
        super().__init__()
        self.wide, self.conv = wide, nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.wide and x.dim() == 4:
            y = torch.cat([y, x], 1)
        else:
            y = y + x
        return F.relu(y)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("wide", "op"), [(True, "Concat"), (False, "Add")])
def test_script_with_known_conditions(tmp_path: Path, wide: bool, op: str) -> None:
    torch.jit.script(Branching(wide).eval()).save(str(tmp_path / "m.pt"))
    graph = check_equal(tmp_path / "m.pt")
    assert [n.op for n in graph.nodes][:3] == ["Input", "Conv", op]


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    path = traced(tmp_path, lambda x, y: (x + y, (x * y, y)), (1, 2, 3), (1, 2, 3))
    graph = read_torchscript(path, [(1, 2, 3), (1, 2, 3)])
    assert [v.name for v in graph.outputs][2] == graph.inputs[1].name
    named = {v.name: (1, 2, 3) for v in graph.inputs}
    assert [n.name for n in read_torchscript(path, named).nodes] == [n.name for n in graph.nodes]


def test_another_size_than_traced(tmp_path: Path) -> None:
    path = traced(tmp_path, nn.Sequential(nn.Conv2d(4, 2, 3), nn.AdaptiveAvgPool2d(1)))
    check_equal(path, (3, 4, 16, 12))


def test_output_names(tmp_path: Path) -> None:
    path = traced(tmp_path, lambda x: F.relu(torch.linalg.inv(x + 1)), (1, 2, 3, 3))
    script = torch.jit.load(str(path)).inlined_graph
    add = next(n for n in script.nodes() if n.kind() == "aten::add").output().debugName()
    graph = read_torchscript(path, [(1, 2, 3, 3)], [add])
    assert [n.op for n in graph.nodes] == ["Input", "Add"]
    with pytest.raises(ConfigError, match="has no value 'nothing'; the nearest name is"):
        read_torchscript(traced(tmp_path, F.relu), [(1, 4, 8, 8)], ["nothing"])


def test_all_unsupported_operators_at_once(tmp_path: Path) -> None:
    path = traced(tmp_path, lambda x: torch.cumsum(torch.fft.fft(x).real + torch.lgamma(x), 1))
    with pytest.raises(UnsupportedError) as caught:
        read_torchscript(path, [(1, 4, 8, 8)])
    message = str(caught.value)
    for kind in ("aten::cumsum (x1)", "aten::fft_fft (x1)", "aten::lgamma (x1)"):
        assert kind in message
    assert "the first is aten::" in message
    assert "Hint: " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: F.max_pool2d(x, 3, 1, dilation=2), "dilation .*; expected 1"),
        (
            lambda x: F.adaptive_avg_pool2d(x, 3),
            r"\[8, 8\] to \[3, 3\]; expected a size that divides",
        ),
        (lambda x: x.argmax(), "has no axis"),
        (lambda x: F.softplus(x, beta=2), "beta 2"),
        (lambda x: ~x.long(), "argument 0 is no truth value"),
        (lambda x: torch.div(x, 3, rounding_mode="floor"), "rounding_mode 'floor'"),
    ],
)
def test_unsupported_attributes(tmp_path: Path, function: Callable, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        read_torchscript(traced(tmp_path, function), [(1, 4, 8, 8)])


def test_training_mode(tmp_path: Path) -> None:
    class Always(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.dropout(x, 0.5, training=True)

    torch.jit.trace(Always(), torch.rand(1, 4), check_trace=False).save(str(tmp_path / "m.pt"))
    with pytest.raises(UnsupportedError, match=r"training mode. Hint: call model.eval\(\)"):
        read_torchscript(tmp_path / "m.pt", [(1, 4)])


def test_shapes_are_needed_and_checked(tmp_path: Path) -> None:
    path = traced(tmp_path, nn.Conv2d(4, 2, 3))
    with pytest.raises(ConfigError, match=r"Hint: model.input_shapes=\[\[1, 3, 224, 224\]\]"):
        read_torchscript(path, None)
    with pytest.raises(ConfigError, match="2 shapes for 1 inputs"):
        read_torchscript(path, [(1, 4, 8, 8)] * 2)
    with pytest.raises(ConfigError, match="has no input 'nothing'"):
        read_torchscript(path, {"nothing": (1, 4, 8, 8)})
    with pytest.raises(ConfigError, match=r"\[1, 4, 0, 8\] has a size below 1"):
        read_torchscript(path, [(1, 4, 0, 8)])
    with pytest.raises(UnsupportedError, match="expected 4 channels. Hint: model.input_shapes"):
        read_torchscript(path, [(1, 3, 8, 8)])
    with pytest.raises(UnsupportedError, match="output size .* is empty"):
        read_torchscript(path, [(1, 4, 2, 8)])


def test_not_a_torchscript_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.pt: no such file"):
        read_torchscript(tmp_path / "none.pt", [(1, 4)])
    (tmp_path / "text.pt").write_text("no model")
    with pytest.raises(ModelError, match=r"text\.pt: not a TorchScript model"):
        read_torchscript(tmp_path / "text.pt", [(1, 4)])
    torch.save({"weight": torch.ones(2)}, tmp_path / "state.pt")
    with pytest.raises(ModelError, match=r"state\.pt: not a TorchScript model.*Hint"):
        read_torchscript(tmp_path / "state.pt", [(1, 4)])
    with zipfile.ZipFile(tmp_path / "archive.pt", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(ModelError, match=r"archive\.pt: not a TorchScript model"):
        read_torchscript(tmp_path / "archive.pt", [(1, 4)])


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
def test_truncated_file(tmp_path: Path, kept: float) -> None:
    path = traced(tmp_path, nn.Conv2d(4, 2, 3))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ModelError, match=r"m\.pt: not a TorchScript model, or damaged"):
        read_torchscript(path, [(1, 4, 8, 8)])


def test_format(tmp_path: Path) -> None:
    path = traced(tmp_path, F.relu)
    assert model_format(path) == "torchscript"
    assert model_format(GOLDEN / "networks" / "resnet18.onnx") == "onnx"
    assert model_format(path, "onnx") == "onnx"
    plain = tmp_path / "model.bin"
    plain.write_bytes(path.read_bytes())
    assert model_format(plain) == "torchscript"
    plain.write_bytes(b"\x08\x07")
    assert model_format(plain) == "onnx"
    assert read_model(path, input_shapes=[(1, 4)], name="net").name == "net"
    with pytest.raises(ConfigError, match="'tflite'; expected one of auto, onnx, torchscript"):
        model_format(path, "tflite")
    with pytest.raises(ModelError, match="no such file"):
        model_format(tmp_path / "none.onnx")
