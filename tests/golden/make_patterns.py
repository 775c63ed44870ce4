"""Regenerates `patterns/`: small networks of known families, and what TPU-MLIR makes float in them.

    TPUC_VENDOR/bin/python tests/golden/make_patterns.py WORK_FOLDER [NAME ...]

Run it with the Python of an installed TPU-MLIR (which brings torchvision) plus `timm`,
`ultralytics` and `onnxslim`. For each network it writes `NAME.onnx.gz` (structure; `weights.py`
gives the numbers), `NAME.mlir.gz` (TPU-MLIR's canonical Top graph, without weights) and
`NAME.qtable` (its table for bm1684x, without the line that tells the time); for one network also
the tables of `--part_quantize` and of its tool fp_forward. `orders.json.gz` is not made here: it
holds op orders made by chance with what TPU-MLIR's matcher selects in them.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import pattern_detectors as detectors  # noqa: E402
import pattern_networks as networks  # noqa: E402
from weights import fill_weights, strip_weights  # noqa: E402

FOLDER = HERE / "patterns"
SMALL, LARGE = 64, 160  # sides of pictures; a detector that picks 300 boxes needs the larger
PARTS = {
    "N_mode": [],
    "H_mode": [],
    "custom_mode": ["--custom_operator", "Conv,Concat,Upsample"],
}
FORWARD = {
    "inputs": ["--fpfwd_inputs", "/fourth/fourth.2/Mul_output_0_Mul"],
    "outputs": [
        "--fpfwd_inputs",
        "/third/third.0/third.0.0/Conv_output_0_Conv",
        "--fpfwd_outputs",
        "/Concat_1_output_0_Concat,/head/maps.2/Conv_output_0_Conv",
    ],
    "blocks": [
        "--fpfwd_blocks",
        "/fifth/fifth.1/first/first.2/Mul_output_0_Mul"
        ":/fifth/fifth.1/last/last.0/Conv_output_0_Conv",
        "/third/third.1/third.1.2/Mul_output_0_Mul,/mid/mid.0/Conv_output_0_Conv"
        ":/fourth/fourth.0/Conv_output_0_Conv,/Concat_1_output_0_Concat",
    ],
}


def pictures(side: int) -> tuple[torch.Tensor]:
    return (torch.rand(1, 3, side, side),)


def words() -> tuple[torch.Tensor, ...]:
    ones = torch.ones(1, 8, dtype=torch.long)
    return torch.arange(8)[None], ones, ones * 0


def of_timm(name: str, side: int, **options: object) -> Callable[[], tuple[nn.Module, tuple]]:
    """A network of the package timm, with attention that is not fused."""

    def build() -> tuple[nn.Module, tuple]:
        import timm
        from timm.layers import set_fused_attn

        set_fused_attn(False)
        model = timm.create_model(
            name, pretrained=False, img_size=side, num_classes=5, embed_dim=48, **options
        )
        return model, pictures(side)

    return build


def of_ultralytics(
    file: str, width: float = 0.125, picks: bool = False, old: bool = False
) -> Callable[[], tuple[nn.Module, tuple]]:
    """A detector of the package ultralytics, as it exports it.

    Parameters
    ----------
    picks : bool
        The network picks its boxes itself.
    old : bool
        Attention scales after its product, as older releases do.
    """

    def build() -> tuple[nn.Module, tuple]:
        import yaml
        from ultralytics.nn.modules import C2f, Detect, block
        from ultralytics.nn.tasks import DetectionModel
        from ultralytics.utils import ROOT

        text = next((ROOT / "cfg/models").rglob(file)).read_text()
        settings = yaml.safe_load(text) | {"scale": "n", "nc": detectors.CLASSES}
        settings |= {"scales": {"n": [0.33, width, 1024]}, "yaml_file": file}
        if old:
            block.Attention.forward = _old_attention
        model = DetectionModel(settings, verbose=False).eval()
        if getattr(model.model[-1], "one2one_cv2", None) is not None:
            model.end2end = picks
        for part in model.modules():
            if isinstance(part, Detect):
                part.export, part.format, part.dynamic = True, "onnx", False
            elif isinstance(part, C2f):
                part.forward = part.forward_split
        model.fuse(verbose=False)
        images = pictures(LARGE if picks else SMALL)
        model(*images)
        return model, images

    return build


def _old_attention(self: nn.Module, x: torch.Tensor) -> torch.Tensor:
    sizes = [self.key_dim, self.key_dim, self.head_dim]
    qkv = self.qkv(x).view(x.shape[0], self.num_heads, sum(sizes), -1)
    q, k, v = qkv.split(sizes, dim=2)
    weights = ((q.transpose(-2, -1) @ k) * self.scale).softmax(dim=-1)
    mixed = (v @ weights.transpose(-2, -1)).view(x.shape)
    return self.proj(mixed + self.pe(v.reshape(x.shape)))


NETWORKS: dict[str, Callable[[], tuple[nn.Module, tuple]]] = {
    "yolov5_anchor": lambda: (detectors.anchors(5), pictures(SMALL)),
    "yolov5_raw": lambda: (detectors.anchors(5, decode=False), pictures(SMALL)),
    "yolov5u": of_ultralytics("yolov5.yaml"),
    "yolov6": of_ultralytics("yolov6.yaml"),
    "yolov6_silu": lambda: (detectors.efficient(), pictures(SMALL)),
    "yolov7": lambda: (detectors.anchors(7), pictures(SMALL)),
    "yolov8": of_ultralytics("yolov8.yaml"),
    "yolov9": of_ultralytics("yolov9t.yaml"),
    "yolov10": of_ultralytics("yolov10n.yaml"),
    "yolov10_e2e": of_ultralytics("yolov10n.yaml", picks=True),
    "yolov11": of_ultralytics("yolo11.yaml"),
    "yolov12": of_ultralytics("yolo12.yaml", width=0.25),
    "yolov26": of_ultralytics("yolo26.yaml"),
    "yolov26_e2e": of_ultralytics("yolo26.yaml", picks=True),
    "yolov26_two": of_ultralytics("yolo26.yaml", picks=True, old=True),
    "bert_orig": lambda: (networks.Bert(late_query=True), words()),
    "bert_qkv": lambda: (networks.Bert(late_query=False), words()),
    "eva_timm": of_timm("eva_large_patch14_196", 56, depth=2, num_heads=3),
    "eva02_timm": of_timm("eva02_tiny_patch14_224", 56, depth=2),
    "eva02_clip": lambda: (networks.Eva02(), pictures(32)),
    "deit_orig": lambda: (networks.Vit(deit=True), pictures(32)),
    "deit_timm": of_timm("deit_tiny_distilled_patch16_224", 32, patch_size=8, depth=2),
    "swin_timm": of_timm(
        "swin_tiny_patch4_window7_224", 64, window_size=4, depths=(2, 2), num_heads=(2, 4)
    ),
    "cswin": lambda: (networks.Cswin(), pictures(32)),
    "vit_timm": of_timm("vit_tiny_patch16_224", 32, patch_size=8, depth=2),
    "vit_unbind": lambda: (networks.Vit(), pictures(32)),
    "vit_d20": lambda: (networks.Vit(width=24, depth=20), pictures(32)),
    "detr_orig": lambda: (networks.Detr(), pictures(64)),
    "vf": lambda: (networks.PlainAttention(), (torch.rand(1, 9, 32),)),
    "shape_zoo": lambda: (networks.ShapeZoo(), (torch.rand(1, 8, 6),)),
}


def export(name: str, path: Path) -> onnx.ModelProto:
    """Write the network with made weights; return its structure."""
    torch.manual_seed(0)
    model, inputs = NETWORKS[name]()
    model.eval()
    for value in model.parameters():  # constants of a kind would be folded away
        value.data += torch.randn_like(value) * 0.01
    names = ["images"] if len(inputs) == 1 else ["input_ids", "attention_mask", "token_type_ids"]
    with torch.no_grad():
        torch.onnx.export(
            model, inputs, str(path), input_names=names, opset_version=17, dynamo=False
        )
    saved = onnx.load(str(path))
    if "ultralytics" in type(model).__module__:
        import onnxslim

        saved = onnxslim.slim(saved)
    strip_weights(saved)
    structure = onnx.ModelProto.FromString(saved.SerializeToString())
    fill_weights(saved)
    onnx.save(saved, str(path))
    return structure


def sample(structure: onnx.ModelProto, path: Path) -> list[list[int]]:
    """Write one sample; return the shapes of the inputs."""
    random, shapes, values = np.random.default_rng(0), [], {}
    for value in structure.graph.input:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        whole = value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT
        values[value.name] = (
            random.integers(0, 2, shape) if whole else random.random(shape)
        ).astype(np.float32)
        shapes.append(shape)
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **values)
    return shapes


def tool(folder: Path, *command: str) -> None:
    """Run one of TPU-MLIR's programs.

    Raises
    ------
    CalledProcessError : it failed
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / f"{command[0]}.log").open("w") as log:
        subprocess.run(
            command,
            cwd=folder,
            stdout=log,
            stderr=log,
            check=True,
            env={**os.environ, "PATH": path},
        )


def calibrate(folder: Path, name: str, table: str, *options: str) -> None:
    """Let TPU-MLIR write a table; keep it without the time."""
    tool(
        folder, "run_calibration", f"{name}.mlir", "--dataset", "samples", "--input_num", "1",
        "--tune_num", "1", "--chip", "bm1684x", "--quantize_table", table, "-o", "cali", *options,
    )  # fmt: skip
    keep(folder / table, f"{table}.qtable")


def keep(table: Path, name: str) -> None:
    """Copy a table without its first line, the time."""
    (FOLDER / name).write_text(table.read_text().split("\n", 1)[1])


def make(name: str, work: Path) -> None:
    """All fixtures of one network."""
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    structure = export(name, folder / f"{name}.onnx")
    shapes = str(sample(structure, folder / "samples" / "0.npz")).replace(" ", "")
    tool(
        folder, "model_transform", "--model_name", name, "--model_def", f"{name}.onnx",
        "--input_shapes", shapes, "--mlir", f"{name}.mlir",
    )  # fmt: skip
    raw = {"onnx": structure.SerializeToString(), "mlir": (folder / f"{name}.mlir").read_bytes()}
    for kind, data in raw.items():
        (FOLDER / f"{name}.{kind}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    calibrate(folder, name, name)
    if name == "yolov5_raw":
        for part, options in PARTS.items():
            calibrate(folder, name, f"{name}.{part}", "--part_quantize", part, *options)
        for case, options in FORWARD.items():
            tool(folder, "fp_forward", f"{name}.mlir", "--chip", "bm1684x", "-o", case, *options)
            keep(folder / case, f"{name}.fpfwd_{case}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for chosen in sys.argv[2:] or NETWORKS:
        make(chosen, Path(sys.argv[1]))
        print(chosen, flush=True)
