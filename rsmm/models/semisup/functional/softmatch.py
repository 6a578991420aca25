"""SoftMatch: every pseudo-label counts, weighted by a truncated Gaussian of its confidence.

Source: Chen et al., SoftMatch (ICLR 2023); multi-label: Bernhard et al., ECAI 2024.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rsmm.models.semisup.functional.masks import confidence

#: Mean and variance of the confidence.
SoftMatchState = tuple[Tensor, Tensor]


@torch.no_grad()
def softmatch_update(
    state: SoftMatchState, probs: Tensor, momentum: float = 0.999, multi_label: bool = False
) -> SoftMatchState:
    """Move mean and unbiased variance of the confidence towards this batch.

    Args:
        state: ``(mean, variance)``, scalars; multi-label ``(C,)``. Left as it was.
        probs: Aligned predictions on weak views ``(N, C)``, of all processes.
        momentum: Weight of the old state.
        multi_label: Classes are independent.

    Returns:
        The new state. One sample has no variance and leaves the old one.
    """
    mean, variance = state
    if len(probs) == 0:
        return state
    sure = confidence(probs, multi_label)
    mean = momentum * mean + (1 - momentum) * sure.mean(dim=0)
    if len(probs) > 1:
        variance = momentum * variance + (1 - momentum) * sure.var(dim=0, unbiased=True)
    return mean, variance


@torch.no_grad()
def softmatch_weight(
    state: SoftMatchState, probs: Tensor, n_sigma: float = 2.0, multi_label: bool = False
) -> Tensor:
    """Weights in (0, 1]: 1 from the mean confidence on, a Gaussian's tail below.

    ``exp(-min(r - mean, 0) ** 2 / (2 variance / n_sigma ** 2))``, ``r`` the confidence.

    Args:
        state: ``(mean, variance)``, updated with this batch already.
        probs: Aligned predictions ``(N, C)``.
        n_sigma: Strictness: one standard deviation below the mean the weight is
            ``exp(-n_sigma ** 2 / 2)``.
        multi_label: Classes are independent.

    Returns:
        ``(N,)``; multi-label ``(N, C)``.
    """
    mean, variance = state
    below = (confidence(probs, multi_label) - mean).clamp(max=0)
    # A variance of 0 would make 0 / 0 of a confidence at the mean.
    tiny = torch.finfo(below.dtype).tiny
    return torch.exp(-(below**2) / (2 * variance / n_sigma**2).clamp(min=tiny))
