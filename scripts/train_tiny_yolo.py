"""Trains the small detector of recipe `tiny_yolo` and writes tpuc/zoo/tiny_yolo.onnx.

Seeded; about ten minutes on one core: python scripts/train_tiny_yolo.py
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tpuc.zoo.scenes import CLASSES, draw_scene

TARGET = Path(__file__).resolve().parent.parent / "tpuc" / "zoo" / "tiny_yolo.onnx"
SIDE, BINS, STRIDES, PAD = 128, 8, (8, 16), 114
SMALL = 34.0  # pixels: objects up to here belong to the finer grid


def unit(c: int, out: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(c, out, size, stride, size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.SiLU())


class Block(nn.Module):
    """Half of the channels goes through a residual pair of convolutions."""

    def __init__(self, c: int, out: int, add: bool = True) -> None:
        super().__init__()
        half = out // 2
        self.a, self.b = unit(c, out, 1), unit(out + half, out, 1)
        self.m, self.add = nn.Sequential(unit(half, half), unit(half, half)), add

    def forward(self, x: Tensor) -> Tensor:
        x, y = self.a(x).chunk(2, 1)
        z = y + self.m(y) if self.add else self.m(y)
        return self.b(torch.cat((x, y, z), 1))


class Pyramid(nn.Module):
    """Three poolings one after the other, joined (SPPF)."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.a, self.b = unit(c, c // 2, 1), unit(2 * c, c, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        y = self.pool(x)
        z = self.pool(y)
        return self.b(torch.cat((x, y, z, self.pool(z)), 1))


class TinyYolo(nn.Module):
    """Two grids; boxes as distributions over distances, decoded as YOLOv8 does."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(unit(3, 12, 3, 2), unit(12, 24, 3, 2), Block(24, 24))
        self.fine = nn.Sequential(unit(24, 48, 3, 2), Block(48, 48))
        self.coarse = nn.Sequential(unit(48, 64, 3, 2), Block(64, 64), Pyramid(64))
        self.up, self.join = nn.Upsample(scale_factor=2, mode="nearest"), Block(112, 48, False)
        self.down, self.last = unit(48, 48, 3, 2), Block(112, 64, False)
        self.boxes = nn.ModuleList([self._head(c, 4 * BINS) for c in (48, 64)])
        self.kinds = nn.ModuleList([self._head(c, len(CLASSES)) for c in (48, 64)])
        for head in self.kinds:
            nn.init.constant_(head[-1].bias, -4.5)
        points, steps = zip(*(self._grid(s) for s in STRIDES))
        self.register_buffer("points", torch.cat(points, 1)[None])
        self.register_buffer("steps", torch.cat(steps, 1)[None])
        self.dfl = nn.Conv2d(BINS, 1, 1, bias=False)
        self.dfl.weight.data[:] = torch.arange(float(BINS)).view(1, BINS, 1, 1)
        self.dfl.weight.requires_grad = False

    @staticmethod
    def _head(c: int, out: int) -> nn.Sequential:
        return nn.Sequential(unit(c, 32), nn.Conv2d(32, out, 1))

    @staticmethod
    def _grid(stride: int) -> tuple[Tensor, Tensor]:
        ticks = torch.arange(SIDE // stride) + 0.5
        y, x = torch.meshgrid(ticks, ticks, indexing="ij")
        return torch.stack((x, y)).view(2, -1), torch.full((1, x.numel()), float(stride))

    def raw(self, x: Tensor) -> Tensor:
        """Logits (N, 4 * BINS + classes, points)."""
        fine = self.fine(self.stem(x))
        coarse = self.coarse(fine)
        fine = self.join(torch.cat((self.up(coarse), fine), 1))
        coarse = self.last(torch.cat((self.down(fine), coarse), 1))
        levels = zip((fine, coarse), self.boxes, self.kinds)
        width = 4 * BINS + len(CLASSES)
        parts = [torch.cat((box(v), kind(v)), 1) for v, box, kind in levels]
        return torch.cat([p.view(p.shape[0], width, -1) for p in parts], 2)

    def forward(self, x: Tensor) -> Tensor:
        """Boxes (centre, width, height) in pixels and scores: (N, 4 + classes, points)."""
        box, kind = self.raw(x).split((4 * BINS, len(CLASSES)), 1)
        batch, _, count = box.shape
        bins = box.view(batch, 4, BINS, count).transpose(2, 1).softmax(1)
        near, far = self.dfl(bins).view(batch, 4, count).chunk(2, 1)
        low, high = self.points - near, self.points + far
        box = torch.cat(((low + high) / 2, high - low), 1) * self.steps
        return torch.cat((box, kind.sigmoid()), 1)


def sample(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Letterboxed picture (3, SIDE, SIDE) in [0, 1] RGB, boxes as corners in pixels, classes."""
    scene = draw_scene(seed)
    height, width = scene.picture.shape[:2]
    factor = min(SIDE / width, SIDE / height)
    nh, nw = int(height * factor), int(width * factor)
    canvas = np.full((SIDE, SIDE, 3), PAD, np.uint8)
    top, left = (SIDE - nh) // 2, (SIDE - nw) // 2
    canvas[top : top + nh, left : left + nw] = cv2.resize(scene.picture, (nw, nh))
    boxes = scene.boxes * factor + np.array([left, top, 0, 0], np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return canvas[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 255, boxes, scene.classes


def assign(points: Tensor, steps: Tensor, boxes: Tensor) -> Tensor:
    """Object of each grid point, -1 for none: points near the centre of a box of their grid's size.

    Where two objects want a point, the smaller one gets it.
    """
    owner = torch.full((points.shape[1],), -1)
    at = points * steps
    for i in sorted(range(len(boxes)), key=lambda i: -float((boxes[i, 2:] - boxes[i, :2]).prod())):
        low, high = boxes[i, :2], boxes[i, 2:]
        mine = STRIDES[0] if float((high - low).max()) <= SMALL else STRIDES[1]
        away = (at - ((low + high) / 2)[:, None]).abs().amax(0)
        inside = ((at > low[:, None]) & (at < high[:, None])).all(0)
        owner[(steps[0] == mine) & inside & (away < 1.3 * mine)] = i
        nearest = torch.where(steps[0] == mine, away, 1e9).argmin()
        owner[nearest] = i
    return owner


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(IoU, generalized IoU) of boxes as corners (N, 4)."""
    shared = (torch.min(a[:, 2:], b[:, 2:]) - torch.max(a[:, :2], b[:, :2])).clamp(0).prod(1)
    area = (a[:, 2:] - a[:, :2]).clamp(0).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared
    hull = (torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])).prod(1)
    iou = shared / area
    return iou, iou - (hull - area) / hull


def loss_of(model: TinyYolo, raw: Tensor, truth: list[tuple[Tensor, Tensor]]) -> Tensor:
    points, steps = model.points[0], model.steps[0]
    box, kind = raw.split((4 * BINS, len(CLASSES)), 1)
    goal = torch.zeros_like(kind)
    total = raw.new_zeros(())
    count = 0
    for n, (boxes, classes) in enumerate(truth):
        owner = assign(points, steps, boxes)
        mine = (owner >= 0).nonzero()[:, 0]
        if not len(mine):
            continue
        wanted = boxes[owner[mine]] / steps[0, mine, None]
        at = points[:, mine].t()
        away = torch.cat((at - wanted[:, :2], wanted[:, 2:] - at), 1).clamp(0, BINS - 1.01)
        logits = box[n][:, mine].view(4, BINS, -1).permute(2, 0, 1)
        reach = logits.softmax(2) @ torch.arange(float(BINS))
        found = torch.cat((at - reach[:, :2], at + reach[:, 2:]), 1)
        iou, generalized = overlap(found, wanted)
        low = away.long()
        share = away - low
        logs = logits.log_softmax(2)
        spread = logs.gather(2, low[..., None])[..., 0] * (1 - share)
        spread = -(spread + logs.gather(2, low[..., None] + 1)[..., 0] * share)
        goal[n, classes[owner[mine]], mine] = iou.detach().clamp(0.3) ** 0.5
        total = total + 5.0 * (1 - generalized).sum() + 0.4 * spread.mean(1).sum()
        count += len(mine)
    scores = F.binary_cross_entropy_with_logits(kind, goal, reduction="none")
    hard = (goal - kind.sigmoid()).detach().abs() ** 1.5
    return (total + 4.0 * (scores * (hard + 0.02)).sum()) / max(count, 1)


def train(steps: int, batch: int, scenes: int) -> TinyYolo:
    model = TinyYolo()
    print(f"{sum(p.numel() for p in model.parameters())} weights")
    known = [sample(s) for s in range(scenes)]
    print(f"{scenes} scenes drawn")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps, pct_start=0.1)
    mean = {k: v.detach().clone() for k, v in model.state_dict().items()}
    start = time.time()
    for step in range(steps):
        chosen = [known[i] for i in torch.randint(scenes, (batch,)).tolist()]
        x = torch.from_numpy(np.stack([c[0] for c in chosen]))
        truth = [(torch.from_numpy(c[1]), torch.from_numpy(c[2])) for c in chosen]
        loss = loss_of(model, model.raw(x), truth)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        plan.step()
        keep = min(0.995, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            mean[name] = value.lerp(mean[name], keep) if value.is_floating_point() else value
        if step % 100 == 0:
            print(f"step {step}: loss {loss:.3f}, {time.time() - start:.0f} s", flush=True)
            torch.save(mean, TARGET.with_suffix(".part"))
    model.load_state_dict(mean)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--scenes", type=int, default=6000)
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = train(args.steps, args.batch, args.scenes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(1, 3, SIDE, SIDE),), str(TARGET), input_names=["images"],
            output_names=["output"], opset_version=13, dynamo=False,
        )  # fmt: skip
    TARGET.with_suffix(".part").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
