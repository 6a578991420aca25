"""The small network that the urban-features study classifies tiles with."""

from __future__ import annotations

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.registry import MODELS


@MODELS.register_module()
class TinyCNN(BaseModule):
    """Two convolutions and a hidden layer of ten; with a linear head of two classes 59,296 weights.

    Args:
        in_channels: Bands or feature channels. Other than 3 are first brought to 16 by a
            1 x 1 convolution, so that feature maps keep their channels apart, and then to ``size``.
        size: Side of the input in pixels; feature maps may have another.
        init_cfg: Initialisation.
    """

    def __init__(self, in_channels: int = 3, size: int = 224, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.size = size
        first = 3 if in_channels == 3 else 16
        self.stem = nn.Identity() if in_channels == 3 else nn.Conv2d(in_channels, first, 1)
        self.features = nn.Sequential(
            nn.Conv2d(first, 16, 3, stride=2),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, stride=2),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        side = size
        for _ in range(2):
            side = ((side - 3) // 2 + 1) // 2
        self.hidden = nn.Linear(32 * side * side, 10)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Images ``(N, 3, size, size)`` or maps ``(N, C, h, w)`` to ``((N, 10),)``."""
        images = self.stem(images)
        if isinstance(self.stem, nn.Conv2d) and images.shape[2:] != (self.size, self.size):
            # The same as resizing the map itself, with a fraction of its channels.
            images = F.interpolate(images, (self.size, self.size), mode='bilinear')
        features = self.features(images).flatten(1)
        return (self.hidden(features).relu(),)
