"""Losses on maps of independent binary channels; sums run over the whole batch.

Each takes logits and targets of one shape and an optional mask of pixels that count. Sources:
the SpaceNet 7 baseline (binary cross-entropy and soft Jaccard), Lin et al. 2017 (focal), and the
SpaceNet 4 solutions (dice).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

from rsmm.errors import ConfigError, did_you_mean


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


TERMS = {
    'bce': binary_cross_entropy,
    'jaccard': soft_jaccard,
    'dice': soft_dice,
    'focal': binary_focal,
}


def check_terms(terms: Mapping[str, float]) -> None:
    """Raise :class:`ConfigError` unless all terms are known."""
    for name in terms:
        if name not in TERMS:
            raise ConfigError(
                f'no loss term {name!r}.{did_you_mean(name, TERMS)}',
                where="type='FootprintLoss'",
                fix=f'Known terms: {", ".join(TERMS)}',
            )


def footprint_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    terms: Mapping[str, float],
    channel_weights: Sequence[float] | None = None,
    ignore_index: int = 255,
) -> dict[str, torch.Tensor]:
    """Return ``loss_<term>``, weighted and summed over the weighted channels, for each term.

    Args:
        logits: (N, K, H, W) float.
        target: (N, K, H, W) of 0, 1 and ``ignore_index``.
        terms: Weight of each term; keys of :data:`TERMS`.
        channel_weights: Weight of each channel; None: all 1.
        ignore_index: Target value of pixels that do not count (no data).

    Raises:
        ConfigError: Shapes or the number of weights differ.
    """
    channels = logits.shape[1]
    weights = channel_weights or (1.0,) * channels
    if target.shape != logits.shape or len(weights) != channels:
        raise ConfigError(
            f'logits {tuple(logits.shape)}, target {tuple(target.shape)}, '
            f'{len(weights)} channel weights',
            where="type='FootprintLoss'",
            fix='Make num_classes of the head, the target channels and the weights agree',
        )
    # Sums over a batch have millions of terms: half precision would round them to 0.4 %.
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    mask = target != ignore_index
    clean = torch.where(mask, target, 0).to(logits.dtype)
    mask = None if bool(mask.all()) else mask
    return {
        f'loss_{name}': weight
        * sum(
            (
                channel_weight
                * TERMS[name](logits[:, k], clean[:, k], None if mask is None else mask[:, k])
                for k, channel_weight in enumerate(weights)
            ),
            start=logits.new_zeros(()),
        )
        for name, weight in terms.items()
    }
