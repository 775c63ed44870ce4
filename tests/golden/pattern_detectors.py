"""Small YOLO detectors that no installed package builds, as published, in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Yolo", "anchors", "efficient"]

CLASSES = 4
STRIDES = (8, 16, 32)


def conv(into: int, out: int, size: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolution, normalization, SiLU."""
    layer = nn.Conv2d(into, out, size, stride, size // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out), nn.SiLU())


class Spp(nn.Module):
    """Version 5: three pools of 5 in a row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = conv(width, width), conv(4 * width, width)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = self.pool(x)
        z = self.pool(y)
        return self.last(torch.cat((x, y, z, self.pool(z)), 1))


class SppCsp(nn.Module):
    """Version 7: three pools of 5, 9, 13 side by side, within a cross stage."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(conv(width, width), conv(width, width, 3), conv(width, width))
        self.pools = nn.ModuleList(nn.MaxPool2d(k, 1, k // 2) for k in (5, 9, 13))
        self.leave = nn.Sequential(conv(4 * width, width), conv(width, width, 3))
        self.side, self.last = conv(width, width), conv(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.enter(x)
        y = self.leave(torch.cat([y, *(pool(y) for pool in self.pools)], 1))
        return self.last(torch.cat((y, self.side(x)), 1))


class AnchorHead(nn.Module):
    """Versions 5 and 7: boxes relative to anchors; or the raw maps."""

    def __init__(self, widths: tuple[int, ...], decode: bool) -> None:
        super().__init__()
        self.decode = decode
        self.maps = nn.ModuleList(nn.Conv2d(w, 3 * (5 + CLASSES), 1) for w in widths)
        self.anchors = torch.rand(len(widths), 1, 3, 1, 1, 2)

    def forward(self, features: list[Tensor]) -> Tensor | tuple[Tensor, ...]:
        found = [self.boxes(i, layer(features[i])) for i, layer in enumerate(self.maps)]
        return torch.cat(found, 1) if self.decode else tuple(found)

    def boxes(self, index: int, x: Tensor) -> Tensor:
        rows, columns = x.shape[2:]
        x = x.view(1, 3, 5 + CLASSES, rows, columns).permute(0, 1, 3, 4, 2).contiguous()
        if not self.decode:
            return x
        grid = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        corner = torch.stack(grid[::-1], 2).expand(1, 3, rows, columns, 2).float() - 0.5
        place, size, scores = x.sigmoid().split((2, 2, CLASSES + 1), 4)
        place = (place * 2 + corner) * STRIDES[index]
        size = (size * 2) ** 2 * self.anchors[index]
        return torch.cat((place, size, scores), 4).view(1, -1, 5 + CLASSES)


class EfficientHead(nn.Module):
    """Version 6: no anchors, classes and boxes in branches of their own, SiLU throughout."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stems = nn.ModuleList(conv(w, w) for w in widths)
        self.class_convs = nn.ModuleList(conv(w, w, 3) for w in widths)
        self.box_convs = nn.ModuleList(conv(w, w, 3) for w in widths)
        self.classes = nn.ModuleList(nn.Conv2d(w, CLASSES, 1) for w in widths)
        self.boxes = nn.ModuleList(nn.Conv2d(w, 4, 1) for w in widths)

    def forward(self, features: list[Tensor]) -> Tensor:
        classes, boxes, centers, strides = [], [], [], []
        for i, x in enumerate(features):
            rows, columns = x.shape[2:]
            x = self.stems[i](x)
            scores = torch.sigmoid(self.classes[i](self.class_convs[i](x)))
            box = self.boxes[i](self.box_convs[i](x))
            classes.append(scores.reshape(1, CLASSES, rows * columns))
            boxes.append(box.reshape(1, 4, rows * columns))
            grid = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            centers.append(torch.stack(grid[::-1], -1).reshape(-1, 2) + 0.5)
            strides.append(torch.full((rows * columns, 1), float(STRIDES[i])))
        score, box = (torch.cat(maps, -1).permute(0, 2, 1) for maps in (classes, boxes))
        center = torch.cat(centers)
        left, right = torch.split(box, 2, -1)
        first, second = center - left, center + right
        box = torch.cat(((first + second) / 2, second - first), -1) * torch.cat(strides)
        return torch.cat((box, torch.ones(1, box.shape[1], 1), score), -1)


class Yolo(nn.Module):
    """Backbone and neck of three scales, for pictures of 64 x 64.

    Parameters
    ----------
    version : int
        5 or 6 (pools in a row), 7 (pools side by side).
    head : function of a tuple of int
        Makes the head from the widths of the three maps.
    """

    def __init__(self, version: int, head: object, width: int = 8) -> None:
        super().__init__()
        w, pools = width, SppCsp if version == 7 else Spp
        self.third = nn.Sequential(conv(3, w, 3, 2), conv(w, 2 * w, 3, 2), conv(2 * w, 2 * w, 3, 2))
        self.fourth = conv(2 * w, 4 * w, 3, 2)
        self.fifth = nn.Sequential(conv(4 * w, 4 * w, 3, 2), pools(4 * w))
        self.up = nn.Upsample(scale_factor=2)
        self.mid, self.small = conv(8 * w, 2 * w), conv(4 * w, 2 * w, 3)
        self.down1, self.down2 = conv(2 * w, 2 * w, 3, 2), conv(4 * w, 4 * w, 3, 2)
        self.middle, self.large = conv(4 * w, 4 * w, 3), conv(8 * w, 4 * w, 3)
        self.head = head((2 * w, 4 * w, 4 * w))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        third = self.third(x)
        fourth = self.fourth(third)
        fifth = self.fifth(fourth)
        mid = self.mid(torch.cat((self.up(fifth), fourth), 1))
        small = self.small(torch.cat((self.up(mid), third), 1))
        middle = self.middle(torch.cat((self.down1(small), mid), 1))
        large = self.large(torch.cat((self.down2(middle), fifth), 1))
        return self.head([small, middle, large])


def anchors(version: int, decode: bool = True) -> Yolo:
    """Version 5 or 7, with boxes decoded or raw maps."""
    return Yolo(version, lambda widths: AnchorHead(widths, decode))


def efficient() -> Yolo:
    """Version 6, the original head."""
    return Yolo(6, EfficientHead)
