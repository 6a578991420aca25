"""Decoders from a pyramid of features to logits: SeCo's, SACo's and a plain output layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from rsmm.registry import MODELS


@MODELS.register_module()
class UNetDecoder(BaseModule):
    """U-Net decoder of SeCo's change detection, for any pyramid of doubling strides.

    From the deepest level on: nearest doubling, 3x3 convolution to the channels of the next level,
    concatenation with it, 3x3 convolution, batch normalisation, ReLU, dropout; at the end nearest
    doubling and a 1x1 convolution. On the five features of ``ResNetPyramid`` with one class it has
    3,208,769 parameters for depth 18.

    Source: Manas et al., "Seasonal Contrast: Unsupervised Pre-Training from Uncurated Remote
    Sensing Data", ICCV 2021.

    Args:
        in_channels: Channels of the features, finest first.
        num_classes: Output channels K.
        dropout: Share of feature maps dropped.
        init_cfg: See mmengine.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int = 1,
        dropout: float = 0.3,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        finer, deeper = in_channels[-2::-1], in_channels[:0:-1]
        self.ups = nn.ModuleList(
            nn.Conv2d(deep, fine, 3, padding=1) for deep, fine in zip(deeper, finer, strict=True)
        )
        self.merges = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(2 * fine, fine, 3, padding=1, bias=False),
                nn.BatchNorm2d(fine),
                nn.ReLU(inplace=True),
                nn.Dropout2d(dropout),
            )
            for fine in finer
        )
        self.output = nn.Conv2d(in_channels[0], num_classes, 1)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map features to logits (N, K, h, w) at twice the finest feature's size."""
        x = features[-1]
        for up, merge, skip in zip(self.ups, self.merges, features[-2::-1], strict=True):
            x = up(F.interpolate(x, skip.shape[2:], mode='nearest'))
            x = merge(torch.cat([x, skip], dim=1))
        return self.output(F.interpolate(x, scale_factor=2, mode='nearest'))


class _Block(nn.Module):
    """Two convolutions with batch normalisation, the second with or without the block's input."""

    def __init__(self, in_channels: int, out_channels: int, dense: bool) -> None:
        super().__init__()
        middle = out_channels + in_channels * dense
        self.conv_1 = _conv(in_channels, out_channels)
        self.conv_2 = _conv(middle, out_channels)
        self.dropout = nn.Dropout2d(0.5)
        self.dense = dense

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv_1(x)
        return self.dropout(self.conv_2(torch.cat([y, x], dim=1) if self.dense else y))


def _conv(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


@MODELS.register_module()
class SACoDecoder(BaseModule):
    """Decoders of SACo's downstream tasks, on the four stages of a ResNet.

    Each block takes the running map and the feature of its level, doubled in size from block to
    block; the first takes the deepest feature twice. For a ResNet-50: 4096, 2048, 1024, 512
    channels to 1024, 512, 256, 128. With ``dense`` the second convolution of a block sees the
    block's input again.

    Parameters for a ResNet-50: 62,680,449 for change (``num_classes=1``), 112,817,940 for PASTIS
    (``num_classes=20, dense=True``).

    Source: Stival et al., "Semantically-Aware Contrastive Learning for Multispectral Remote
    Sensing Images", ISPRS J. 223, 2025, and its released weights.

    Args:
        in_channels: Channels of the four features, finest first.
        num_classes: Output channels K.
        dense: Variant for PASTIS.
        init_cfg: See mmengine.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int = 1,
        dense: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        deep_first = tuple(in_channels[::-1])
        outputs = (*deep_first[1:], deep_first[-1] // 2)
        self.blocks = nn.ModuleList(
            _Block(2 * channels, out, dense)
            for channels, out in zip(deep_first, outputs, strict=True)
        )
        self.output = nn.Conv2d(outputs[-1], num_classes, 1)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map features to logits (N, K, h, w) at twice the finest feature's size."""
        x = features[-1]
        for block, skip in zip(self.blocks, reversed(features), strict=True):
            if x.shape[2:] != skip.shape[2:]:
                x = F.interpolate(x, skip.shape[2:], mode='nearest')
            x = block(torch.cat([x, skip], dim=1))
        return self.output(F.interpolate(x, scale_factor=2, mode='nearest'))


@MODELS.register_module()
class OutputHead(BaseModule):
    """Two 3x3 convolutions on the first feature, for encoders that decode by themselves.

    Args:
        in_channels: Channels of the feature.
        num_classes: Output channels K.
        init_cfg: See mmengine.
    """

    def __init__(
        self, in_channels: int | Sequence[int], num_classes: int, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        width = in_channels if isinstance(in_channels, int) else in_channels[0]
        self.num_classes = num_classes
        self.layers = nn.Sequential(
            _conv(width, width), nn.Conv2d(width, num_classes, 3, padding=1)
        )

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map features to logits (N, K, h, w)."""
        return self.layers(features[0])
