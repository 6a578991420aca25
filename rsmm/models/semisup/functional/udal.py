"""UDAL: from the labelled towards a flatter class distribution while training goes on."""

from __future__ import annotations

import torch
from torch import Tensor


def udal_target(
    prior: Tensor, progress: float, a_min: float = 0.5, k: float = 2.0, multi_label: bool = False
) -> Tensor:
    """Class distribution that the model is debiased to.

    ``f = 1 - (1 - a_min) progress ** k``; the target is ``prior ** f``, normalised: over the
    classes, or multi-label against its complement ``(1 - prior) ** f``.

    Args:
        prior: Labelled class frequencies ``(C,)``.
        progress: Share of the training that is done, 0..1.
        a_min: Exponent at the end.
        k: How late the exponent falls.
        multi_label: Classes are independent.

    Returns:
        ``(C,)``.
    """
    flat = 1 - (1 - a_min) * progress**k
    powered = prior**flat
    if multi_label:
        return powered / ((1 - prior) ** flat + powered)
    return powered / powered.sum()


def log_shift(distribution: Tensor, target: Tensor) -> Tensor:
    """``ln(distribution / (target + 1e-9))`` ``(C,)``, what is added to logits.

    A class that never occurs gets the logarithm of 1e-9 instead of minus infinity.

    Args:
        distribution: Class distribution the logits come from ``(C,)``.
        target: Distribution they are to be free of ``(C,)``.
    """
    return torch.log(distribution.clamp(min=1e-9) / (target + 1e-9))


def log_odds_shift(distribution: Tensor, target: Tensor) -> Tensor:
    """The same for a sigmoid's logit, ``ln`` of the ratio of the odds ``(C,)``.

    Args:
        distribution: Positive rates the logits come from ``(C,)``.
        target: Positive rates they are to be free of ``(C,)``.
    """
    return log_shift(distribution, target) - log_shift(1 - distribution, 1 - target)
