"""Small networks of known families, as published, in plain torch: their ONNX form is what counts.

The order of operations in `forward` decides the order of nodes in the exported file, and so which
block the matcher finds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as f
from torch import Tensor, nn

__all__ = ["Bert", "Cswin", "Detr", "Eva02", "PlainAttention", "ShapeZoo", "Vit"]


class VitBlock(nn.Module):
    """Pre-norm attention and MLP; DeiT's first release indexes q, k, v and scales the product."""

    def __init__(self, width: int, heads: int, deit: bool) -> None:
        super().__init__()
        self.heads, self.deit = heads, deit
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def attention(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        scale = (width // self.heads) ** -0.5
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.deit:
            q, k, v = qkv[0], qkv[1], qkv[2]
            weights = (q @ k.transpose(-2, -1)) * scale
        else:
            q, k, v = qkv.unbind(0)
            weights = (q * scale) @ k.transpose(-2, -1)
        mixed = (weights.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width)
        return self.proj(mixed)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.fc2(f.gelu(self.fc1(self.norm2(x))))


class Vit(nn.Module):
    """Vision Transformer, and DeiT, for pictures of 32 x 32."""

    def __init__(self, width: int = 48, depth: int = 2, deit: bool = False) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.pos = nn.Parameter(torch.randn(1, 17, width))
        self.blocks = nn.ModuleList(VitBlock(width, 3, deit) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(x.shape[0], -1, -1), x), 1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class BertLayer(nn.Module):
    """Post-norm; `late_query` splits q into heads after k and v, as the first release does."""

    def __init__(self, width: int, heads: int, late_query: bool) -> None:
        super().__init__()
        self.heads, self.late_query = heads, late_query
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.out, self.norm1 = nn.Linear(width, width), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norm2 = nn.LayerNorm(width)

    def split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.late_query:
            mixed_q = self.q(x)
            k = self.split(self.k(x))
            v = self.split(self.v(x))
            q = self.split(mixed_q)
        else:
            q, k, v = self.q(x), self.k(x), self.v(x)
            q, k, v = self.split(q), self.split(k), self.split(v)
        weights = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        mixed = (torch.softmax(weights + mask, -1) @ v).permute(0, 2, 1, 3).contiguous()
        x = self.norm1(self.out(mixed.view(*mixed.shape[:-2], -1)) + x)
        return self.norm2(self.fc2(f.gelu(self.fc1(x))) + x)


class Bert(nn.Module):
    """BERT for questions: start and end of an answer."""

    def __init__(self, late_query: bool) -> None:
        super().__init__()
        self.words, self.places, self.kinds = (nn.Embedding(n, 32) for n in (30, 8, 2))
        self.norm = nn.LayerNorm(32)
        self.layers = nn.ModuleList(BertLayer(32, 4, late_query) for _ in range(2))
        self.answer = nn.Linear(32, 2)
        self.register_buffer("positions", torch.arange(8)[None])

    def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        far = (1.0 - mask[:, None, None, :].float()) * -10000.0
        x = self.norm(self.words(ids) + self.kinds(kinds) + self.places(self.positions))
        for layer in self.layers:
            x = layer(x, far)
        start, end = self.answer(x).split(1, -1)
        return start.squeeze(-1), end.squeeze(-1)


class DetrLayer(nn.Module):
    """Post-norm layer of the encoder, or of the decoder (`cross`)."""

    def __init__(self, width: int, cross: bool) -> None:
        super().__init__()
        self.own = nn.MultiheadAttention(width, 4)
        self.cross = nn.MultiheadAttention(width, 4) if cross else None
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if cross else 2))

    def forward(self, x: Tensor, pos: Tensor, memory: Tensor | None, places: Tensor) -> Tensor:
        q = x + pos
        x = self.norms[0](x + self.own(q, q, x)[0])
        if self.cross is not None:
            x = self.norms[1](x + self.cross(x + pos, memory + places, memory)[0])
        return self.norms[-1](x + self.fc2(f.relu(self.fc1(x))))


class Detr(nn.Module):
    """DETR on the first two stages of a ResNet, for pictures of 64 x 64."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        from torchvision.models.resnet import BasicBlock

        down = nn.Sequential(nn.Conv2d(16, 32, 1, 2, bias=False), nn.BatchNorm2d(32))
        stem = (nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        body = (nn.MaxPool2d(3, 2, 1), BasicBlock(16, 16), BasicBlock(16, 32, 2, down))
        self.body, self.proj = nn.Sequential(*stem, *body), nn.Conv2d(32, width, 1)
        self.queries = nn.Parameter(torch.randn(6, width))
        self.encoder = nn.ModuleList(DetrLayer(width, False) for _ in range(2))
        self.decoder = nn.ModuleList(DetrLayer(width, True) for _ in range(2))
        self.norm, self.classes = nn.LayerNorm(width), nn.Linear(width, 5)
        self.boxes = nn.ModuleList(nn.Linear(width, n) for n in (width, width, 4))
        self.register_buffer("pos", torch.randn(64, 1, width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.proj(self.body(x))
        memory, queries = x.flatten(2).permute(2, 0, 1), self.queries[:, None]
        for layer in self.encoder:
            memory = layer(memory, self.pos, None, self.pos)
        x = torch.zeros_like(queries)
        for layer in self.decoder:
            x = layer(x, queries, memory, self.pos)
        x = self.norm(x).transpose(0, 1)
        classes, box = self.classes(x), x
        for i, layer in enumerate(self.boxes):
            box = layer(box) if i == len(self.boxes) - 1 else f.relu(layer(box))
        return classes, box.sigmoid()


class Stripes(nn.Module):
    """CSWin's attention within stripes of height x width, with a local position encoding."""

    def __init__(self, width: int, side: int, stripe: tuple[int, int], heads: int) -> None:
        super().__init__()
        self.side, self.stripe, self.heads = side, stripe, heads
        self.local = nn.Conv2d(width, width, 3, 1, 1, groups=width)

    def cut(self, x: Tensor, order: tuple[int, ...]) -> Tensor:
        h, w = self.stripe
        x = x.transpose(-2, -1).contiguous().view(x.shape[0], -1, self.side, self.side)
        x = x.view(x.shape[0], x.shape[1], self.side // h, h, self.side // w, w)
        return x.permute(order).contiguous()

    def heads_of(self, x: Tensor) -> Tensor:
        size, width = self.stripe[0] * self.stripe[1], x.shape[-1]
        x = self.cut(x, (0, 2, 4, 3, 5, 1)).reshape(-1, size, width)
        x = x.reshape(-1, size, self.heads, width // self.heads)
        return x.permute(0, 2, 1, 3).contiguous()

    def values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        width, size = x.shape[-1], self.stripe[0] * self.stripe[1]
        shape = (-1, self.heads, width // self.heads, size)
        x = self.cut(x, (0, 2, 4, 1, 3, 5)).reshape(-1, width, *self.stripe)
        local = self.local(x).reshape(shape).permute(0, 1, 3, 2).contiguous()
        return x.reshape(shape).permute(0, 1, 3, 2).contiguous(), local

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        batch, width, (h, w) = q.shape[0], q.shape[-1], self.stripe
        scale = (width // self.heads) ** -0.5
        q, k = self.heads_of(q), self.heads_of(k)
        v, local = self.values(v)
        x = ((q * scale) @ k.transpose(-2, -1)).softmax(-1) @ v + local
        x = x.transpose(1, 2).reshape(-1, h * w, width)
        x = x.view(batch, self.side // h, self.side // w, h, w, -1)
        x = x.permute(0, 1, 3, 2, 4, 5).contiguous().view(batch, self.side, self.side, -1)
        return x.view(batch, -1, width)


class CswinBlock(nn.Module):
    """Two kinds of stripes, one for each half of the channels; or one window (`whole`)."""

    def __init__(self, width: int, side: int, whole: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        stripes = [(side, side)] if whole else [(side, 1), (1, side)]
        n = len(stripes)
        self.parts = nn.ModuleList(Stripes(width // n, side, s, 4 // n) for s in stripes)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, -1, 3, width).permute(2, 0, 1, 3)
        if len(self.parts) == 1:
            y = self.parts[0](qkv[0], qkv[1], qkv[2])
        else:
            half = width // 2
            sides = (qkv[:, :, :, :half], qkv[:, :, :, half:])
            y = torch.cat([self.stripes(p, s) for p, s in zip(self.parts, sides, strict=True)], 2)
        x = x + self.proj(y)
        return x + self.fc2(f.gelu(self.fc1(self.norm2(x))))

    @staticmethod
    def stripes(part: nn.Module, side: Tensor) -> Tensor:
        return part(*(side[i : i + 1].reshape(1, -1, side.shape[-1]) for i in range(3)))


class Cswin(nn.Module):
    """CSWin with two stages, for pictures of 32 x 32."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.stem, self.norm0 = nn.Conv2d(3, width, 7, 4, 2), nn.LayerNorm(width)
        self.first = nn.ModuleList(CswinBlock(width, 8, False) for _ in range(2))
        self.merge, self.norm1 = nn.Conv2d(width, 2 * width, 3, 2, 1), nn.LayerNorm(2 * width)
        self.last = CswinBlock(2 * width, 4, True)
        self.norm2, self.head = nn.LayerNorm(2 * width), nn.Linear(2 * width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm0(self.stem(x).flatten(2).transpose(1, 2))
        for block in self.first:
            x = block(x)
        x = self.merge(x.transpose(1, 2).reshape(1, -1, 8, 8)).flatten(2).transpose(1, 2)
        return self.head(self.norm2(self.last(self.norm1(x))).mean(1))


class Eva02Block(nn.Module):
    """EVA-02 in CLIP: three projections, rotary embedding of patches, SwiGLU with a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.v, self.out = (nn.Linear(width, width) for _ in range(3))
        self.k = nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)
        self.norm3, self.down = nn.LayerNorm(2 * width), nn.Linear(2 * width, width)

    def split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        y = self.norm1(x)
        q, k, v = self.q(y), self.k(y), self.v(y)
        q, k, v = self.split(q), self.split(k), self.split(v)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = f.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        x = x + self.out(mixed)
        y = self.norm2(x)
        gate, up = self.gate(y), self.up(y)
        return x + self.down(self.norm3(f.silu(gate) * up))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of all tokens but the first; pairs of channels are neighbours."""
    tokens = x[:, :, 1:]
    pairs = tokens.view(*tokens.shape[:-1], -1, 2)
    left, right = pairs[..., 0], pairs[..., 1]
    turned = torch.stack((-right, left), -1).flatten(-2)
    return torch.cat((x[:, :, :1], tokens * cos + turned * sin), -2)


class Eva02(nn.Module):
    """EVA-02's vision tower, for pictures of 32 x 32."""

    def __init__(self, width: int = 48, heads: int = 3) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.cls = nn.Parameter(torch.randn(1, 1, width))
        self.pos = nn.Parameter(torch.randn(1, 17, width))
        angles = torch.randn(16, width // heads // 2).repeat_interleave(2, -1)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        self.blocks = nn.ModuleList(Eva02Block(width, heads) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(1, -1, -1), x), 1) + self.pos
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return self.head(self.norm(x)[:, 0])


class PlainAttention(nn.Module):
    """Attention without mask or norm, three projections first, scaled after the product."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.between = nn.Linear(width, width)
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(4))

    @staticmethod
    def attention(x: Tensor, layers: nn.ModuleList) -> Tensor:
        q, k, v = (layer(x) for layer in layers[:3])
        q, k, v = (t.view(*x.shape[:2], 4, -1).transpose(1, 2) for t in (q, k, v))
        weights = ((q @ k.transpose(-2, -1)) / q.shape[-1] ** 0.5).softmax(-1)
        return layers[3]((weights @ v).transpose(1, 2).reshape(x.shape))

    def forward(self, x: Tensor) -> Tensor:
        x = self.between(f.relu(self.attention(x, self.first))).tanh()
        return self.attention(x, self.second)


class ShapeZoo(nn.Module):
    """Indices that are moved, cast and counted with; and some that are not."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        best = x.argmax(1)
        moved = torch.cat((best, best), 1)[:, 1:3].to(torch.float32) + 1.5
        counted = best.to(torch.float32) * 3
        values, indices = x.topk(3, 1)
        picked = torch.gather(x, 1, indices)
        return moved, counted, values + picked, torch.where(x > 0, x, -x)
