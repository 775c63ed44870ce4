"""Regenerates `torchscript/`: small traced models and TPU-MLIR's canonical Top graph of each.

    TPUC_VENDOR/bin/python tests/golden/make_torchscript.py WORK_FOLDER [CLASS ...]

Run it with the Python of an installed TPU-MLIR (which brings torch). For each model it writes
`NAME.pt`, `NAME.mlir` and, if the model has weights, the npz that the mlir names. For `unit` also
`unit_cali_table` and `unit_int8.npz`: the sample and every INT8 tensor on bm1684x, dequantized.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = Path(__file__).resolve().parent / "torchscript"


class Activations(nn.Module):
    def __init__(self):
        super().__init__()
        self.slopes, self.slope = nn.PReLU(4), nn.PReLU()
        nn.init.uniform_(self.slopes.weight)

    def forward(self, x):
        return (
            F.relu(x), F.hardtanh(x, 0.0, 6.0), F.hardswish(x), F.hardsigmoid(x), F.silu(x),
            torch.sigmoid(x), torch.tanh(x), F.elu(x, 0.7), F.leaky_relu(x, 0.2), self.slopes(x),
            self.slope(x), F.softplus(x), F.mish(x), F.gelu(x), torch.clamp(x, -0.5, 0.8),
            torch.clamp(x, min=0), torch.clamp(x, max=0.3), F.softmax(x, 1),
            F.log_softmax(x, -1), F.logsigmoid(x), torch.exp(x), torch.sqrt(x.abs() + 0.1),
            torch.log(x.abs() + 1), x**2, x**3, x.floor(), x.ceil(), x.sin(), x.cos(), x.erf(),
            -x, torch.rsqrt(x.abs() + 1), x * torch.sigmoid(x), x * F.hardtanh(x + 3, 0.0, 6.0) / 6,
        )  # fmt: skip


class Arithmetic(nn.Module):
    def __init__(self):
        super().__init__()
        for name, shape in {
            "w": (1, 4, 1, 1),
            "v": (4, 1, 1),
            "c": (1, 4, 8, 8),
            "k": (1,),
        }.items():
            setattr(self, name, nn.Parameter(torch.randn(*shape)))

    def forward(self, x):
        y = x * 0.5
        return (
            x + y, x - y, x * y, x / (y.abs() + 1), x + 1.5, x - 1.5, 1.5 - x, x * 2, x / 3,
            x * self.w, x + self.w, x * self.v + self.w, x + self.c, x * self.c, x - self.c,
            self.c - x, x / self.c.abs(), torch.add(x, y, alpha=2), self.k * x, self.w + x,
            x - self.w, x / self.w, torch.sub(x, x.abs() * 0.5, alpha=0.5), torch.rsub(x, y),
        )  # fmt: skip


class Movement(nn.Module):
    def forward(self, x):
        a, b = torch.split(x, 2, 1)
        c, d = x.chunk(2, 1)
        e, f, g = torch.split(x, [1, 1, 2], 1)
        n, channels, h, w = x.size()
        mixed = x.view(n, 2, channels // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)
        return (
            torch.cat([b, a], 1), torch.cat((c + 1, d), 2), e + f, g, mixed, x[:, 1:3], x[..., 1:3],
            x[:, 0], x.select(2, 3), x.flatten(1), x.flatten(2).permute(0, 2, 1), x.view(1, -1),
            x.reshape(2, 2, -1), x.flatten(), x.unsqueeze(1), x.transpose(2, 3),
            F.pad(x, (1, 2, 3, 4)), F.pad(x, (1, 1, 1, 1), value=0.5),
            F.pad(x, (1, 1, 1, 1), mode="reflect"), F.pad(x, (1, 1, 1, 1), mode="replicate"),
            torch.stack([a, b], 1), F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2),
            x.mean([2, 3], keepdim=True).expand(-1, -1, 8, 8), x.repeat(1, 2, 1, 1),
            F.dropout(x, 0.5, False) + 1,
        )  # fmt: skip


class Pooling(nn.Module):
    def forward(self, x):
        return (
            F.max_pool2d(x, 2, 2), F.max_pool2d(x, 3, 2, 1), F.max_pool2d(x, 3, 2, ceil_mode=True),
            F.avg_pool2d(x, 2, 2), F.avg_pool2d(x, 3, 2, 1),
            F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), F.adaptive_avg_pool2d(x, 1),
            F.adaptive_avg_pool2d(x, 4), x.mean([2, 3]), x.mean([2, 3], keepdim=True), x.mean(1),
            x.sum(1), x.sum([2, 3]), x.mean(-1, keepdim=True), x.mean((1, 2)), x.argmax(1),
            x.max(1)[0], x.max(2, keepdim=True)[1],
        )  # fmt: skip


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.plain = nn.Linear(8, 5), nn.Linear(8, 6, bias=False)
        self.right = nn.Parameter(torch.randn(8, 7))
        self.conv = nn.Conv2d(4, 6, 3, padding=1, stride=2)
        self.grouped = nn.Conv2d(4, 8, 3, groups=2, dilation=2, padding=2, bias=False)
        self.depthwise = nn.Conv2d(4, 4, (3, 1), groups=4, padding=(1, 0))
        self.same = nn.Conv2d(4, 5, 4, padding="same")
        self.turned = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)
        self.turned2 = nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2, bias=False)
        self.norm, self.norm1 = nn.BatchNorm2d(6), nn.BatchNorm1d(10)
        self.last = nn.Linear(256, 10)

    def forward(self, x):
        flat = x.flatten(1)
        return (
            self.linear(x), self.plain(x), torch.matmul(x, self.right),
            F.relu(self.norm(self.conv(x))), self.grouped(x),
            F.hardtanh(self.depthwise(x), 0.0, 6.0), self.turned(x), self.turned2(x),
            torch.matmul(x, x.transpose(2, 3)), F.relu(self.last(flat)),
            torch.addmm(self.last.bias, flat, self.last.weight.t()), self.norm1(self.last(flat)),
            self.same(x),
        )  # fmt: skip


class Resizing(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("rows", torch.tensor([2, 0, 3]))

    def forward(self, x):
        return (
            F.interpolate(x, scale_factor=2), F.interpolate(x, size=(12, 20)),
            F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
            F.interpolate(x, size=(15, 15), mode="bilinear", align_corners=True),
            F.interpolate(x, scale_factor=1.5, mode="bilinear"),
            F.interpolate(x + 1, size=x.shape[2:]), x.index_select(1, self.rows),
        )  # fmt: skip


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.plain = nn.LayerNorm(8), nn.LayerNorm((8, 8), elementwise_affine=False)
        self.group, self.instance = nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True)
        for norm in (self.layer, self.group, self.instance):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.5, 0.5)

    def forward(self, x):
        return self.layer(x), self.plain(x), self.group(x), self.instance(x)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x):
        q, k, v = self.qkv(x).split(8, 3)
        y = F.scaled_dot_product_attention(q + 1, k * 0.5, v)
        return y, torch.roll(x, (-2, 3), (2, 3)), torch.roll(x, 1, 1)


class Choices(nn.Module):
    def forward(self, x):
        y = x * 0.5 + 0.1
        return (
            torch.where(x > 0.5, x, y), torch.where(x <= y, y, x), torch.where(x >= 0, x, 0.25),
            torch.where(x < y, 0.5, x),
        )  # fmt: skip


class Unit(nn.Module):
    """A shuffle unit, a squeeze-and-excite unit and a residual one, then a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(4, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.branch = nn.Sequential(
            nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
            nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(4),
        )  # fmt: skip
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.norm, self.last = nn.BatchNorm2d(8), nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        a, b = x.chunk(2, dim=1)
        x = torch.cat((a, self.branch(b)), dim=1)
        n, c, h, w = x.size()
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, -1, h, w)
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        x = F.relu(self.norm(x * gate + x))
        return self.last(torch.flatten(F.max_pool2d(x, 2, 2).mean([2, 3]), 1))


def strip_debug(source: Path, target: Path) -> None:
    """Leave out where in which source file each line came from; date everything 1980."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))


def build(name: str, module: nn.Module, work: Path) -> None:
    """Trace one model, let TPU-MLIR import it, keep the results."""
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    x = torch.randn(1, 4, 8, 8)
    torch.jit.trace(module.eval(), x).save(str(folder / f"{name}.pt"))
    strip_debug(folder / f"{name}.pt", FOLDER / f"{name}.pt")
    bin_folder = Path(sys.executable).parent
    command = [
        str(bin_folder / "model_transform"), "--model_name", name,
        "--model_def", str(FOLDER / f"{name}.pt"), "--input_shapes", "[[1,4,8,8]]",
        "--channel_format", "none", "--mlir", f"{name}.mlir", "--not_inference",
    ]  # fmt: skip
    path = f"{bin_folder}:{os.environ['PATH']}"
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PATH": path})
    text = (folder / f"{name}.mlir").read_text()
    (FOLDER / f"{name}.mlir").write_text(text)
    weights = re.search(r'weight_file = "([^"]+)"', text)
    if weights and (folder / weights[1]).is_file():
        shutil.copy(folder / weights[1], FOLDER / weights[1])


def quantize(name: str, work: Path) -> None:
    """Calibrate on one sample, lower to INT8 for bm1684x and keep every tensor."""
    folder, bin_folder = work / name, Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    text = (folder / f"{name}.mlir").read_text()
    (input_name,) = re.findall(r'^#loc1 = loc\("([^"]+)"\)', text, re.M)
    x = np.random.default_rng(1684).standard_normal((1, 4, 8, 8)).astype(np.float32)
    (folder / "samples").mkdir(exist_ok=True)
    np.savez(folder / "samples" / "0.npz", **{input_name: x})
    calibrate = f"run_calibration {name}.mlir --dataset samples --input_num 1 --tune_num 0"
    deploy = (
        f"model_deploy --mlir {name}.mlir --quantize INT8 --processor bm1684x "
        f"--calibration_table {name}_cali_table --model {name}.bmodel --debug"
    )
    runner = (
        f"model_runner --input samples/0.npz --model {name}_bm1684x_int8_sym_tpu.mlir "
        "--dump_all_tensors --output tensors.npz"
    )
    for command in (f"{calibrate} -o {name}_cali_table", deploy, runner):
        subprocess.run(command.split(), cwd=folder, check=True, env=env)
    shutil.copy(folder / f"{name}_cali_table", FOLDER)
    with np.load(folder / "tensors.npz") as tensors:
        np.savez_compressed(FOLDER / f"{name}_int8.npz", sample=x, **dict(tensors))


def main() -> None:
    """Write the folder."""
    FOLDER.mkdir(exist_ok=True)
    work = Path(sys.argv[1]).resolve()
    kinds = (Activations, Arithmetic, Attention, Choices, Layers, Movement, Norms, Pooling,
             Resizing, Unit)  # fmt: skip
    for kind in kinds:
        if sys.argv[2:] and kind.__name__ not in sys.argv[2:]:
            continue
        torch.manual_seed(1684)
        module = kind()
        for name, buffer in module.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
            elif name.endswith("running_mean"):
                buffer.normal_(std=0.1)
        build(kind.__name__.lower(), module, work)
    if not sys.argv[2:] or "Unit" in sys.argv[2:]:
        quantize("unit", work)


if __name__ == "__main__":
    main()
