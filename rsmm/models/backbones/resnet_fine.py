"""A ResNet whose first maps are as fine as its first convolution leaves them."""

from __future__ import annotations

from mmpretrain.models import ResNet
from torch import nn

from rsmm.registry import MODELS


@MODELS.register_module()
class ResNetFine(ResNet):
    """mmpretrain's ResNet without max pooling: every stage has half the stride, the first 2.

    Parameter names are mmpretrain's, so the same checkpoints load.

    Args:
        depth: 18, 34, 50, 101 or 152.
        **kwargs: See mmpretrain's ``ResNet``.
    """

    def __init__(self, depth: int, **kwargs) -> None:
        super().__init__(depth, **kwargs)
        self.maxpool = nn.Identity()
