"""Residual networks in the form for images of 32 × 32 pixels, and a small convolutional one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


class _Residual(nn.Module):
    """relu(branch(x) + shortcut(x)), the shortcut a projection where shapes differ."""

    def __init__(self, branch: nn.Module, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.branch(x) + self.shortcut(x))


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)]


def _basic(inputs: int, width: int, stride: int) -> tuple[nn.Module, int]:
    """Two 3 × 3 convolutions."""
    branch = nn.Sequential(*_convolution(inputs, width, 3, stride), nn.ReLU(), *_convolution(width, width, 3))
    return _Residual(branch, inputs, width, stride), width


def _bottleneck(inputs: int, width: int, stride: int) -> tuple[nn.Module, int]:
    """1 × 1, 3 × 3 and 1 × 1, four times as wide at its end."""
    branch = nn.Sequential(
        *_convolution(inputs, width, 1),
        nn.ReLU(),
        *_convolution(width, width, 3, stride),
        nn.ReLU(),
        *_convolution(width, 4 * width, 1),
    )
    return _Residual(branch, inputs, 4 * width, stride), 4 * width


def _resnet(
    block: Callable[[int, int, int], tuple[nn.Module, int]], counts: tuple[int, ...], width: int, n_classes: int
) -> nn.Sequential:
    layers: list[nn.Module] = [*_convolution(3, width, 3), nn.ReLU()]
    inputs = width
    for stage, count in enumerate(counts):
        for i in range(count):
            made, inputs = block(inputs, width * 2**stage, 2 if stage and not i else 1)
            layers.append(made)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, n_classes))


def resnet18(n_classes: int = 10, *, width: int = 64) -> nn.Sequential:
    """ResNet-18 for 32 × 32 pixels [1]_: a 3 × 3 convolution first and no pooling before the stages.

    Parameters
    ----------
    n_classes : int
        How many logits the network gives.
    width : int
        Channels of the first stage; 64 in the paper, fewer for trials.

    References
    ----------
    .. [1] He, Zhang, Ren, Sun (2016), Deep residual learning for image recognition, CVPR.
    """
    return _resnet(_basic, (2, 2, 2, 2), width, n_classes)


def resnet50(n_classes: int = 100, *, width: int = 64) -> nn.Sequential:
    """ResNet-50 for 32 × 32 pixels, of bottleneck blocks; as `resnet18`."""
    return _resnet(_bottleneck, (3, 4, 6, 3), width, n_classes)


def small_cnn(n_classes: int = 10, *, width: int = 8, channels: int = 3) -> nn.Sequential:
    """Two convolutions with BatchNorm and pooling and a dense layer: a network for trials on a processor."""
    return nn.Sequential(
        *_convolution(channels, width, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *_convolution(width, 2 * width, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * width, n_classes),
    )
