"""The 13 convolutions of VGG16 as an encoder that keeps full resolution."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import nn

from rsmm.registry import MODELS

#: (convolutions, width relative to the first stage) of each stage.
_STAGES = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))


@MODELS.register_module()
class VGG16Encoder(BaseModule):
    """Plain VGG16 without batch normalisation; features before each pooling.

    Parameter names are torchvision's (``features.0.weight``), so its ImageNet weights load.
    mmpretrain's VGG returns features after pooling, which a U-Net cannot use at stride 1.

    Args:
        in_channels: Bands of the input.
        base_channels: Channels of the first stage; 64 is VGG16, less makes a small variant.
        init_cfg: See mmengine. None keeps the random initialisation of the framework, which is
            what the SpaceNet 7 baseline trains from.
    """

    def __init__(
        self, in_channels: int = 3, base_channels: int = 64, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        layers: list[nn.Module] = []
        self.ends: list[int] = []
        channels = in_channels
        for convolutions, width in _STAGES:
            for _ in range(convolutions):
                wide = base_channels * width
                layers += [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU(inplace=True)]
                channels = wide
            self.ends.append(len(layers))
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[:-1])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Map (N, C, H, W) to five features of 1, 2, 4, 8, 8 x base channels, strides 1 to 16."""
        features = []
        for index, layer in enumerate(self.features, start=1):
            x = layer(x)
            if index in self.ends:
                features.append(x)
        return tuple(features)
