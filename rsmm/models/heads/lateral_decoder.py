"""A slim decoder for pyramids of many channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from rsmm.registry import MODELS


def _conv(in_channels: int, out_channels: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


@MODELS.register_module()
class LateralDecoder(BaseModule):
    """Every level is brought to one width, then merged from the deepest to the finest.

    A 1x1 convolution per level; then, level by level, bilinear enlargement to the next finer
    feature, concatenation with it, a 3x3 convolution, batch normalisation, ReLU and dropout; a 1x1
    convolution at the end. With few labelled scenes its small width is what keeps it from learning
    them by heart: on the five features of an EfficientNet-Lite0 it has 90,721
    parameters.

    Args:
        in_channels: Channels of the features, finest first.
        num_classes: Output channels K.
        width: Channels of every level.
        dropout: Share of feature maps dropped after each merge.
        init_cfg: See mmengine.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int = 1,
        width: int = 32,
        dropout: float = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.laterals = nn.ModuleList(_conv(count, width, 1) for count in in_channels)
        self.merges = nn.ModuleList(
            nn.Sequential(_conv(2 * width, width, 3), nn.Dropout2d(dropout))
            for _ in in_channels[1:]
        )
        self.output = nn.Conv2d(width, num_classes, 1)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map features to logits (N, K, h, w) at the size of the finest feature."""
        levels = [
            lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)
        ]
        x = levels[-1]
        for merge, finer in zip(self.merges, levels[-2::-1], strict=True):
            x = F.interpolate(x, finer.shape[2:], mode='bilinear', align_corners=False)
            x = merge(torch.cat([x, finer], dim=1))
        return self.output(x)
