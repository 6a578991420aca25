"""Weighted sums of the footprint losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from rsmm.errors import ConfigError, did_you_mean
from rsmm.models.losses.functional.footprint import (
    binary_cross_entropy,
    binary_focal,
    soft_dice,
    soft_jaccard,
)
from rsmm.registry import MODELS

TERMS = {
    'bce': binary_cross_entropy,
    'jaccard': soft_jaccard,
    'dice': soft_dice,
    'focal': binary_focal,
}


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
        for name in terms:
            if name not in TERMS:
                raise ConfigError(
                    f'no loss term {name!r}.{did_you_mean(name, TERMS)}',
                    where="type='FootprintLoss'",
                    fix=f'Known terms: {", ".join(TERMS)}',
                )
        self.terms = dict(terms)
        self.channel_weights = None if channel_weights is None else tuple(channel_weights)
        self.ignore_index = ignore_index

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``loss_<term>`` for each term.

        Args:
            logits: (N, K, H, W) float.
            target: (N, K, H, W) of 0, 1 and ``ignore_index``.
        """
        channels = logits.shape[1]
        weights = self.channel_weights or (1.0,) * channels
        if target.shape != logits.shape or len(weights) != channels:
            raise ConfigError(
                f'logits {tuple(logits.shape)}, target {tuple(target.shape)}, '
                f'{len(weights)} channel weights',
                where="type='FootprintLoss'",
                fix='Make num_classes of the head, the target channels and the weights agree',
            )
        # Sums over a batch have millions of terms: half precision would round them to 0.4 %.
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        mask = target != self.ignore_index
        clean = torch.where(mask, target, 0).to(logits.dtype)
        mask = None if bool(mask.all()) else mask
        return {
            f'loss_{name}': weight
            * sum(
                channel_weight
                * TERMS[name](logits[:, k], clean[:, k], None if mask is None else mask[:, k])
                for k, channel_weight in enumerate(weights)
            )
            for name, weight in self.terms.items()
        }
