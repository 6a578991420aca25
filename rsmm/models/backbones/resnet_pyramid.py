"""A ResNet that also gives the feature of its first convolution."""

from __future__ import annotations

import torch
from mmpretrain.models import ResNet

from rsmm.registry import MODELS


@MODELS.register_module()
class ResNetPyramid(ResNet):
    """mmpretrain's ResNet with five features, strides 2, 4, 8, 16 and 32.

    The first is what the 7x7 convolution puts out, before its normalisation, as SeCo's change
    detector takes it. Parameter names are mmpretrain's, so the same checkpoints load.

    Args:
        depth: 18, 34, 50, 101 or 152.
        **kwargs: See mmpretrain's ``ResNet``.
    """

    def __init__(self, depth: int, **kwargs) -> None:
        super().__init__(depth, out_indices=(0, 1, 2, 3), **kwargs)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Map (N, C, H, W) to five features."""
        stem = self.conv1(x)
        # ReLU works in place, and the stem is needed as it is.
        x = self.maxpool(self.relu(self.norm1(stem)))
        features = [stem]
        for name in self.res_layers:
            x = getattr(self, name)(x)
            features.append(x)
        return tuple(features)
