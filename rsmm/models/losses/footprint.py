"""Weighted sums of the footprint losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from rsmm.models.losses.functional.footprint import check_terms, footprint_loss
from rsmm.registry import MODELS


@MODELS.register_module()
class FootprintLoss(nn.Module):
    """Sum of weighted terms over weighted channels, reported term by term.

    Args:
        terms: Weight of each term; keys among ``bce, jaccard, dice, focal``. The SpaceNet 7
            baseline is ``dict(bce=10, jaccard=2.5)``, the SpaceNet 4 lesson
            ``dict(dice=1, focal=1)``.
        channel_weights: Weight of each target channel, e.g. (1, 0.1, 0.5) for footprint,
            boundary, contact. None: all 1.
        ignore_index: Target value of pixels that do not count (no data).

    Raises:
        ConfigError: An unknown term, or weights for another number of channels.
    """

    def __init__(
        self,
        terms: Mapping[str, float],
        channel_weights: Sequence[float] | None = None,
        ignore_index: int = 255,
    ) -> None:
        super().__init__()
        check_terms(terms)
        self.terms = dict(terms)
        self.channel_weights = None if channel_weights is None else tuple(channel_weights)
        self.ignore_index = ignore_index

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``loss_<term>`` for each term.

        Args:
            logits: (N, K, H, W) float.
            target: (N, K, H, W) of 0, 1 and ``ignore_index``.
        """
        return footprint_loss(logits, target, self.terms, self.channel_weights, self.ignore_index)
