"""Losses on maps of independent binary channels; sums run over the whole batch.

Each takes logits and targets of one shape and an optional mask of pixels that count. Sources:
the SpaceNet 7 baseline (binary cross-entropy and soft Jaccard), Lin et al. 2017 (focal), and the
SpaceNet 4 solutions (dice).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def masked_mean(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return the mean over the pixels where the mask is true; 0 when there are none."""
    if mask is None:
        return values.mean()
    return (values * mask).sum() / mask.expand_as(values).sum().clamp(min=1)


def binary_cross_entropy(logits, target, mask=None) -> torch.Tensor:
    """Return the mean cross-entropy of logits, scalar."""
    return masked_mean(F.binary_cross_entropy_with_logits(logits, target, reduction='none'), mask)


def soft_jaccard(logits, target, mask=None, eps: float = 1e-15) -> torch.Tensor:
    """Return 1 - (sum p y + eps) / (sum p + sum y - sum p y + eps), p the sigmoid, scalar.

    Args:
        logits: (N, H, W) or any shape.
        target: Same shape, in [0, 1].
        mask: Pixels that count, broadcast to that shape.
        eps: Makes an empty target with an empty prediction cost nothing.
    """
    both, p, y = _sums(logits, target, mask)
    return 1 - (both + eps) / (p + y - both + eps)


def soft_dice(logits, target, mask=None, eps: float = 1e-5) -> torch.Tensor:
    """Return 1 - (2 sum p y + eps) / (sum p + sum y + eps), p the sigmoid, scalar."""
    both, p, y = _sums(logits, target, mask)
    return 1 - (2 * both + eps) / (p + y + eps)


def binary_focal(logits, target, mask=None, gamma: float = 2.0) -> torch.Tensor:
    """Return the mean of (1 - p_t)^gamma times the cross-entropy, scalar."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    p = logits.sigmoid()
    p_true = p * target + (1 - p) * (1 - target)
    return masked_mean((1 - p_true) ** gamma * entropy, mask)


def _sums(logits, target, mask):
    p = logits.sigmoid()
    if mask is not None:
        p, target = p * mask, target * mask
    return (p * target).sum(), p.sum(), target.sum()
