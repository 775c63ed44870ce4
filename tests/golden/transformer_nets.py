"""Small transformers and detectors in torch, written as their public sources write them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Bert", "Swin", "Vit", "YoloV5", "YoloV8"]


class BertAttention(nn.Module):
    """Self-attention that makes q, the heads of k, those of v, and then those of q."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(size, size) for _ in range(3))
        self.o, self.ln = nn.Linear(size, size), nn.LayerNorm(size, eps=1e-12)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q = self.q(x)
        k, v = self.split(self.k(x)), self.split(self.v(x))
        q = self.split(q)
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
        mixed = torch.matmul(F.softmax(scores + mask, -1), v).permute(0, 2, 1, 3).contiguous()
        return self.ln(self.o(mixed.view(mixed.shape[0], mixed.shape[1], -1)) + x)


class BertLayer(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.a = BertAttention(size, heads)
        self.i, self.o = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
        self.ln = nn.LayerNorm(size, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.a(x, mask)
        return self.ln(self.o(F.gelu(self.i(x))) + x)


class Bert(nn.Module):
    """Question answering: three inputs of whole numbers, two outputs."""

    def __init__(self, size: int = 32, words: int = 64, tokens: int = 16) -> None:
        super().__init__()
        self.w, self.t = nn.Embedding(words, size), nn.Embedding(2, size)
        self.p, self.ln = nn.Embedding(tokens, size), nn.LayerNorm(size, eps=1e-12)
        self.layers = nn.ModuleList([BertLayer(size, 2) for _ in range(2)])
        self.qa = nn.Linear(size, 2)
        self.register_buffer("position", torch.arange(tokens)[None])

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        mask = (1.0 - attention_mask[:, None, None, :].float()) * -10000.0
        x = self.ln(self.w(input_ids) + self.t(token_type_ids) + self.p(self.position))
        for layer in self.layers:
            x = layer(x, mask)
        start, end = self.qa(x).split(1, -1)
        return start.squeeze(-1), end.squeeze(-1)


class VitAttention(nn.Module):
    """`style` says how q, k, v leave one Linear, and where their product is scaled."""

    def __init__(self, size: int, heads: int, style: str) -> None:
        super().__init__()
        self.heads, self.style, self.scale = heads, style, (size // heads) ** -0.5
        self.qkv, self.p = nn.Linear(size, 3 * size), nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, size = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, size // self.heads)
        qkv = qkv.permute(2, 0, 3, 1, 4)
        if self.style == "index":
            q, k, v = qkv[0], qkv[1], qkv[2]
            scores = (q @ k.transpose(-2, -1)) * self.scale
        else:
            q, k, v = qkv.unbind(0)
            scores = (q * self.scale) @ k.transpose(-2, -1)
        return self.p((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, size))


class VitBlock(nn.Module):
    def __init__(self, size: int, heads: int, style: str) -> None:
        super().__init__()
        self.n1, self.n2 = (nn.LayerNorm(size, eps=1e-6) for _ in range(2))
        self.a = VitAttention(size, heads, style)
        self.f1, self.f2 = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.a(self.n1(x))
        return x + self.f2(F.gelu(self.f1(self.n2(x))))


class Vit(nn.Module):
    """Two blocks on 16 patches and a class token."""

    def __init__(self, style: str = "unbind", size: int = 32) -> None:
        super().__init__()
        self.pe = nn.Conv2d(3, size, 8, 8)
        self.cls = nn.Parameter(torch.randn(1, 1, size))
        self.pos = nn.Parameter(torch.randn(1, 17, size) * 0.2)
        self.b = nn.ModuleList([VitBlock(size, 2, style) for _ in range(2)])
        self.n, self.head = nn.LayerNorm(size, eps=1e-6), nn.Linear(size, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pe(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        for block in self.b:
            x = block(x)
        return self.head(self.n(x)[:, 0])


def _windows(x: Tensor, side: int) -> Tensor:
    batch, h, w, c = x.shape
    x = x.view(batch, h // side, side, w // side, side, c)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, side, side, c)


def _joined(x: Tensor, side: int, h: int, w: int) -> Tensor:
    c = x.shape[-1]
    x = x.view(-1, h // side, w // side, side, side, c)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, h, w, c)


class WindowAttention(nn.Module):
    def __init__(self, size: int, side: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (size // heads) ** -0.5
        self.qkv, self.p = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.table = nn.Parameter(torch.randn((2 * side - 1) ** 2, heads) * 0.1)
        ticks = torch.arange(side)
        places = torch.stack(torch.meshgrid(ticks, ticks, indexing="ij")).flatten(1)
        apart = (places[:, :, None] - places[:, None, :]).permute(1, 2, 0) + side - 1
        self.register_buffer("places", apart[..., 0] * (2 * side - 1) + apart[..., 1])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        count, n, size = x.shape
        qkv = self.qkv(x).reshape(count, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        scores = (q * self.scale) @ k.transpose(-2, -1)
        bias = self.table[self.places.view(-1)].view(n, n, -1).permute(2, 0, 1).contiguous()
        scores = scores + bias.unsqueeze(0)
        if mask is not None:
            scores = scores.view(-1, mask.shape[0], self.heads, n, n) + mask[None, :, None]
            scores = scores.view(-1, self.heads, n, n)
        return self.p((scores.softmax(-1) @ v).transpose(1, 2).reshape(count, n, -1))


class SwinBlock(nn.Module):
    def __init__(self, size: int, res: int, heads: int, side: int, shift: int) -> None:
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.a, self.side, self.shift = WindowAttention(size, side, heads), side, shift
        self.f1, self.f2 = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
        self.register_buffer("mask", self._mask(res) if shift else None)

    def _mask(self, res: int) -> Tensor:
        regions, count = torch.zeros(1, res, res, 1), 0
        bounds = (slice(0, -self.side), slice(-self.side, -self.shift), slice(-self.shift, None))
        for rows in bounds:
            for columns in bounds:
                regions[:, rows, columns, :] = count
                count += 1
        flat = _windows(regions, self.side).view(-1, self.side**2)
        return (flat.unsqueeze(1) != flat.unsqueeze(2)).float() * -100.0

    def attend(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        if self.shift:
            x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        parts = self.a(_windows(x, self.side).view(-1, self.side**2, c), self.mask)
        x = _joined(parts.view(-1, self.side, self.side, c), self.side, h, w)
        return torch.roll(x, (self.shift, self.shift), (1, 2)) if self.shift else x

    def forward(self, x: Tensor) -> Tensor:
        batch, h, w, c = x.shape
        x = (x + self.attend(self.n1(x))).reshape(batch, -1, c)
        return (x + self.f2(F.gelu(self.f1(self.n2(x))))).reshape(batch, h, w, c)


class Merge(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.n, self.r = nn.LayerNorm(4 * size), nn.Linear(4 * size, 2 * size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, h, w, c = x.shape
        x = x.reshape(batch, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 4, 2, 5).flatten(3)
        return self.r(self.n(x))


class Swin(nn.Module):
    """Two stages of a plain and a shifted block, patches merged in between."""

    def __init__(self, size: int = 16, res: int = 16, side: int = 4) -> None:
        super().__init__()
        self.pe, self.n0 = nn.Conv2d(3, size, 4, 4), nn.LayerNorm(size)
        self.l1 = nn.Sequential(*[SwinBlock(size, res, 2, side, s) for s in (0, side // 2)])
        self.m = Merge(size)
        parts = [SwinBlock(2 * size, res // 2, 4, side, s) for s in (0, side // 2)]
        self.l2, self.n, self.h = nn.Sequential(*parts), nn.LayerNorm(2 * size), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.n0(self.pe(x).permute(0, 2, 3, 1))
        return self.h(self.n(self.l2(self.m(self.l1(x)))).mean((1, 2)))


def _unit(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.SiLU())


def _plain(inputs: int, outputs: int, kernel: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.a, self.b = _unit(size, size, 3), _unit(size, size, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(self.a(x))


class C2f(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.a, self.b, self.o = _unit(inputs, outputs), Bottleneck(half), _unit(3 * half, outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.a(x).chunk(2, 1))
        return self.o(torch.cat([*parts, self.b(parts[-1])], 1))


class Spp(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.a, self.b = _unit(inputs, inputs // 2), _unit(inputs * 2, outputs)
        self.m = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        y = self.m(x)
        z = self.m(y)
        return self.b(torch.cat([x, y, z, self.m(z)], 1))


class PictureAttention(nn.Module):
    """Attention whose q, k, v come from one convolution, scaled after q @ k."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads, self.wide, self.short = heads, size // heads, size // heads // 2
        self.qkv = _plain(size, size + self.short * heads * 2)
        self.proj, self.pe = _plain(size, size), _plain(size, size, 3, size)

    def forward(self, x: Tensor) -> Tensor:
        batch, c, h, w = x.shape
        qkv = self.qkv(x).view(batch, self.heads, self.short * 2 + self.wide, h * w)
        q, k, v = qkv.split([self.short, self.short, self.wide], 2)
        shares = ((q.transpose(-2, -1) @ k) * self.short**-0.5).softmax(-1)
        mixed = (v @ shares.transpose(-2, -1)).view(batch, c, h, w)
        return self.proj(mixed + self.pe(v.reshape(batch, c, h, w)))


class C2Psa(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.half = size // 2
        self.a, self.at, self.o = (
            _unit(size, size),
            PictureAttention(self.half, 2),
            _unit(size, size),
        )
        self.f = nn.Sequential(_unit(self.half, size), _plain(size, self.half))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.a(x).split((self.half, self.half), 1)
        b = b + self.at(b)
        return self.o(torch.cat([a, b + self.f(b)], 1))


class DetectV8(nn.Module):
    """Distances from anchors as distributions of 16 bins, decoded to boxes."""

    def __init__(self, sizes: tuple[int, ...], classes: int, side: int) -> None:
        super().__init__()
        self.classes = classes
        last = [(nn.Conv2d(64, 64, 1), nn.Conv2d(16, classes, 1)) for _ in sizes]
        self.boxes = nn.ModuleList(
            [nn.Sequential(_unit(c, 64, 3), conv) for c, (conv, _) in zip(sizes, last)]
        )
        self.kinds = nn.ModuleList(
            [nn.Sequential(_unit(c, 16, 3), conv) for c, (_, conv) in zip(sizes, last)]
        )
        self.dfl = nn.Conv2d(16, 1, 1, bias=False)
        self.dfl.weight.data[:] = torch.arange(16.0).view(1, 16, 1, 1)
        anchors, strides = [], []
        for i, _ in enumerate(sizes):
            ticks = torch.arange(side >> (3 + i)) + 0.5
            y, x = torch.meshgrid(ticks, ticks, indexing="ij")
            anchors.append(torch.stack((x, y), -1).view(-1, 2))
            strides.append(torch.full((x.numel(), 1), float(8 << i)))
        self.register_buffer("anchors", torch.cat(anchors).t()[None].contiguous())
        self.register_buffer("strides", torch.cat(strides).t()[None].contiguous())

    def forward(self, levels: tuple[Tensor, ...]) -> Tensor:
        heads = zip(levels, self.boxes, self.kinds)
        parts = [torch.cat((box(x), kind(x)), 1) for x, box, kind in heads]
        flat = torch.cat([p.view(1, 64 + self.classes, -1) for p in parts], 2)
        box, kind = flat.split((64, self.classes), 1)
        batch, _, count = box.shape
        bins = box.view(batch, 4, 16, count).transpose(2, 1).softmax(1)
        near, far = self.dfl(bins).view(batch, 4, count).chunk(2, 1)
        low, high = self.anchors - near, self.anchors + far
        box = torch.cat(((low + high) / 2, high - low), 1) * self.strides
        return torch.cat((box, kind.sigmoid()), 1)


class DetectV5(nn.Module):
    """Three anchors a cell, decoded to boxes."""

    def __init__(self, sizes: tuple[int, ...], classes: int, side: int) -> None:
        super().__init__()
        self.width = classes + 5
        self.m = nn.ModuleList([nn.Conv2d(c, 3 * self.width, 1) for c in sizes])
        shapes = torch.tensor([[10.0, 13], [16, 30], [33, 23]])
        for i, _ in enumerate(sizes):
            n = side >> (3 + i)
            ticks = torch.arange(float(n))
            y, x = torch.meshgrid(ticks, ticks, indexing="ij")
            grid = torch.stack((x, y), -1).expand(1, 3, n, n, 2) - 0.5
            scaled = (shapes * (i + 1)).view(1, 3, 1, 1, 2).expand(1, 3, n, n, 2)
            self.register_buffer(f"grid{i}", grid)
            self.register_buffer(f"anchor{i}", scaled.contiguous())

    def forward(self, levels: tuple[Tensor, ...]) -> Tensor:
        found = []
        for i, x in enumerate(levels):
            x = self.m[i](x)
            batch, _, h, w = x.shape
            x = x.view(batch, 3, self.width, h, w).permute(0, 1, 3, 4, 2).contiguous()
            xy, wh, rest = x.sigmoid().split((2, 2, self.width - 4), 4)
            xy = (xy * 2 + getattr(self, f"grid{i}")) * (8 << i)
            wh = (wh * 2) ** 2 * getattr(self, f"anchor{i}")
            found.append(torch.cat((xy, wh, rest), 4).view(batch, -1, self.width))
        return torch.cat(found, 1)


class YoloV8(nn.Module):
    """Two levels; with `attention` as in version 11."""

    def __init__(self, attention: bool = False, side: int = 64) -> None:
        super().__init__()
        self.a, self.b, self.c = _unit(3, 8, 3, 2), _unit(8, 16, 3, 2), C2f(16, 16)
        self.d, self.e, self.f = _unit(16, 32, 3, 2), C2f(32, 32), _unit(32, 32, 3, 2)
        self.g, self.psa = Spp(32, 32), C2Psa(32) if attention else nn.Identity()
        self.up, self.h = nn.Upsample(scale_factor=2, mode="nearest"), C2f(64, 32)
        self.head: nn.Module = DetectV8((32, 32), 4, side)

    def forward(self, x: Tensor) -> Tensor:
        x = self.e(self.d(self.c(self.b(self.a(x)))))
        y = self.psa(self.g(self.f(x)))
        return self.head((self.h(torch.cat((self.up(y), x), 1)), y))


class YoloV5(YoloV8):
    """The same body with the older head."""

    def __init__(self, side: int = 64) -> None:
        super().__init__(False, side)
        self.head = DetectV5((32, 32), 4, side)
