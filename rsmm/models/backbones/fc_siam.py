"""Encoder and decoder of the fully convolutional change networks FC-EF and FC-Siam."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from mmengine.model import BaseModule
from torch import nn

from rsmm.registry import MODELS

WIDTHS = (16, 32, 64, 128)


def _convs(channels: Sequence[int], dropout: float, transposed: bool = False) -> nn.Sequential:
    """3x3 convolutions, each with batch normalisation, ReLU and dropout."""
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [
            kind(before, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
        ]
    return nn.Sequential(*layers)


@MODELS.register_module()
class FCEncoder(BaseModule):
    """Four levels of 2, 2, 3, 3 convolutions with 16, 32, 64, 128 channels and max pooling.

    With :class:`FCDecoder` in a ``ChangeDetector``: FC-EF is ``fusion='early'``, FC-Siam-conc
    ``'concat'`` and FC-Siam-diff ``'abs_diff'``, the latter two with ``deepest='second'``.

    Source: Daudt et al., "Fully Convolutional Siamese Networks for Change Detection", ICIP 2018.

    Args:
        in_channels: Bands of the input.
        dropout: Share of feature maps dropped after each convolution.
        init_cfg: See mmengine.
    """

    def __init__(
        self, in_channels: int = 3, dropout: float = 0.2, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        inputs = (in_channels, *WIDTHS[:-1])
        depths = (2, 2, 3, 3)
        self.levels = nn.ModuleList(
            _convs((before, *[width] * depth), dropout)
            for before, width, depth in zip(inputs, WIDTHS, depths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Map (N, C, H, W) to features at strides 1, 2, 4, 8 and the last one pooled to 16."""
        features = []
        for level in self.levels:
            x = level(x)
            features.append(x)
            x = self.pool(x)
        return (*features, x)


@MODELS.register_module()
class FCDecoder(BaseModule):
    """Decoder of the same networks: transposed convolutions, logits at full resolution.

    Args:
        in_channels: Channels of the five features, finest first.
        num_classes: Output channels K.
        dropout: As in :class:`FCEncoder`.
        init_cfg: See mmengine.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int = 1,
        dropout: float = 0.2,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        *skips, deepest = in_channels
        depths = (1, 2, 3, 3)  # with the output layer, which ends the first level, 2 there
        self.ups = nn.ModuleList()
        self.levels = nn.ModuleList()
        x = deepest
        for level in (3, 2, 1, 0):
            width = WIDTHS[level]
            self.ups.append(nn.ConvTranspose2d(x, x, 3, stride=2, padding=1, output_padding=1))
            x_out = WIDTHS[level - 1] if level else width
            inner = [width] * (depths[level] - 1)
            channels = (x + skips[level], *inner, x_out)
            self.levels.append(_convs(channels, dropout, transposed=True))
            x = x_out
        self.output = nn.ConvTranspose2d(x, num_classes, 3, padding=1)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map features to logits (N, K, H, W) at the finest feature's size."""
        *skips, x = features
        for up, level, skip in zip(self.ups, self.levels, reversed(skips), strict=True):
            x = level(torch.cat([up(x), skip], dim=1))
        return self.output(x)
