"""Projectors: from the last feature map of a backbone to the embeddings that are contrasted."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.models.layers.pooling import pool
from rsmm.registry import MODELS


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers of the given sizes with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


@MODELS.register_module()
class MoCoMLP(BaseModule):
    """One two-layer head per embedding sub-space (MoCo v2, SeCo, CACo).

    Args:
        in_channels: Channels of the last feature map, 512 (ResNet-18) or 2048 (ResNet-50).
        out_channels: Embedding size.
        num_spaces: Heads ``E``.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        in_channels: int = 512,
        out_channels: int = 128,
        num_spaces: int = 1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.heads = nn.ModuleList(
            mlp(in_channels, in_channels, out_channels) for _ in range(num_spaces)
        )

    def forward(self, features: Sequence[Tensor] | Tensor) -> tuple[Tensor, ...]:
        """Return ``E`` embeddings ``(N, out_channels)``."""
        pooled = pool(features)
        return tuple(head(pooled) for head in self.heads)


@MODELS.register_module()
class GroupMLP(BaseModule):
    """Three-layer head shared by all band groups (SACo).

    Args:
        in_channels: Channels of the last feature map.
        hidden: Sizes of the two hidden layers.
        out_channels: Embedding size.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        in_channels: int = 512,
        hidden: Sequence[int] = (1024, 512),
        out_channels: int = 256,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.fc = mlp(in_channels, *hidden, out_channels)

    def forward(self, features: Sequence[Tensor] | Tensor) -> tuple[Tensor]:
        """Return one embedding ``(N, out_channels)``."""
        return (self.fc(pool(features)),)
