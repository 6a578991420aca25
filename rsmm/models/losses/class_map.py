"""Losses of dense models on labels (N, H, W): classes and change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from rsmm.errors import ConfigError
from rsmm.models.losses.footprint import FootprintLoss
from rsmm.registry import MODELS


def multiclass_dice(
    logits: torch.Tensor, target: torch.Tensor, ignore_index: int = 255, eps: float = 1e-6
) -> torch.Tensor:
    """Return 1 - mean soft dice over the classes that occur in the target, scalar.

    Args:
        logits: (N, K, H, W).
        target: (N, H, W) int64.
        ignore_index: Label that does not count.
        eps: Keeps the quotient finite.
    """
    keep = (target != ignore_index)[:, None]
    truth = F.one_hot(target.where(keep[:, 0], 0), logits.shape[1]).movedim(-1, 1) * keep
    p = logits.softmax(dim=1) * keep
    both, total = ((x.sum(dim=(0, 2, 3))) for x in (p * truth, p + truth))
    present = truth.sum(dim=(0, 2, 3)) > 0
    dice = (2 * both + eps) / (total + eps)
    return 1 - (dice * present).sum() / present.sum().clamp(min=1)


def _class_weights(weights: Sequence[float] | None) -> torch.Tensor | None:
    """Return weights as float32, whole numbers too."""
    if weights is None:
        return None
    try:
        found = torch.tensor([float(weight) for weight in weights])
    except (TypeError, ValueError):
        found = torch.tensor([float('nan')])
    if not (torch.isfinite(found).all() and (found >= 0).all()):
        raise ConfigError(
            f'class_weight={weights!r}', where='SegLoss', fix='Expected a list of numbers from 0'
        )
    return found


@MODELS.register_module()
class SegLoss(nn.Module):
    """Cross-entropy over classes, plus dice where asked for.

    Args:
        class_weight: Weight of each class in the cross-entropy.
        dice: Weight of the dice term.
        ignore_index: Label that does not count.

    Raises:
        ConfigError: The weights are no numbers from 0, or not as many as the classes.
    """

    weight: torch.Tensor | None

    def __init__(
        self,
        class_weight: Sequence[float] | None = None,
        dice: float = 0.0,
        ignore_index: int = 255,
    ) -> None:
        super().__init__()
        self.register_buffer('weight', _class_weights(class_weight), persistent=False)
        self.dice = dice
        self.ignore_index = ignore_index

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``loss_ce`` and ``loss_dice``; 0 where no pixel counts.

        Args:
            logits: (N, K, H, W).
            target: (N, H, W) int64.
        """
        if self.weight is not None and len(self.weight) != logits.shape[1]:
            raise ConfigError(
                f'{len(self.weight)} class_weight for {logits.shape[1]} classes',
                where='SegLoss',
                fix='Give one weight per class of the decoder, ignored classes included',
            )
        entropy = F.cross_entropy(
            logits, target, self.weight, ignore_index=self.ignore_index, reduction='none'
        )
        keep = target != self.ignore_index
        if self.weight is None:
            count = keep.sum()
        else:
            count = self.weight[target.where(keep, 0)][keep].sum()
        losses = {'loss_ce': entropy.sum() / count.clamp(min=torch.finfo(entropy.dtype).tiny)}
        if self.dice:
            losses['loss_dice'] = self.dice * multiclass_dice(logits, target, self.ignore_index)
        return losses


@MODELS.register_module()
class ChangeLoss(FootprintLoss):
    """Weighted sum of BCE, dice, focal and Jaccard terms on one logit per pixel.

    Args:
        terms: Weight of each term, e.g. ``dict(bce=1, dice=1)``.
        pos_weight: Weight of changed pixels in the cross-entropy.
        ignore_index: Label that does not count.
    """

    def __init__(
        self, terms: Mapping[str, float], pos_weight: float = 1.0, ignore_index: int = 255
    ) -> None:
        super().__init__(terms, ignore_index=ignore_index)
        self.pos_weight = pos_weight

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``loss_<term>`` for each term.

        Args:
            logits: (N, 1, H, W).
            target: (N, H, W) of 0, 1 and ``ignore_index``.
        """
        losses = super().forward(logits, target[:, None])
        if 'bce' in self.terms and self.pos_weight != 1:
            losses['loss_bce'] = self.terms['bce'] * self._weighted_entropy(logits[:, 0], target)
        return losses

    def _weighted_entropy(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        keep = target != self.ignore_index
        truth = target.where(keep, 0).to(logits.dtype)
        weight = keep * (1 + (self.pos_weight - 1) * truth)
        entropy = F.binary_cross_entropy_with_logits(logits, truth, weight, reduction='sum')
        return entropy / weight.sum().clamp(min=1)
