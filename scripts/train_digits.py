"""Trains the small CNN of recipe `digits` and writes tpuc/zoo/digits.onnx. Seeded; takes seconds.

python scripts/train_digits.py
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from tpuc.zoo.digits import split

TARGET = Path(__file__).resolve().parent.parent / "tpuc" / "zoo" / "digits.onnx"


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU6(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), nn.BatchNorm2d(32), nn.ReLU6(),
        nn.Conv2d(32, 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU6(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
    )  # fmt: skip


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    (x, y), (tx, ty) = split()
    train, labels = torch.from_numpy(x), torch.from_numpy(y)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(40):
        for part in torch.randperm(len(train)).split(64):
            shifted = torch.roll(train[part], tuple(torch.randint(-1, 2, (2,)).tolist()), (2, 3))
            loss = nn.functional.cross_entropy(model(shifted), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        right = (model(torch.from_numpy(tx)).argmax(1) == torch.from_numpy(ty)).float().mean()
    print(f"top-1 on {len(ty)} test pictures: {right:.4f}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(1, 1, 8, 8),), str(TARGET), input_names=["input"],
            output_names=["output"], opset_version=13, dynamo=False,
        )  # fmt: skip


if __name__ == "__main__":
    main()
