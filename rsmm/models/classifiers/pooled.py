"""Pooling with dropout between a backbone and a linear head."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.models.layers.pooling import pool
from rsmm.registry import MODELS


@MODELS.register_module()
class PooledDropout(BaseModule):
    """Global average of the last feature map, then dropout.

    Args:
        p: Probability that a feature is dropped.
        init_cfg: Initialisation.
    """

    def __init__(self, p: float = 0.2, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.dropout = nn.Dropout(p)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor]:
        """``(N, C, H, W)`` maps to ``(N, C)``."""
        return (self.dropout(pool(features)),)
