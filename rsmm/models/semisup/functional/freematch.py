"""FreeMatch: thresholds that follow the model, and fairness among the classes.

Source: Wang et al., FreeMatch (ICLR 2023); multi-label: Bernhard et al., ECAI 2024.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rsmm.models.semisup.functional.masks import confidence, hard_labels

_EPS = 1e-12

#: Global threshold, mean probabilities, share of predictions per class.
FreeMatchState = tuple[Tensor, Tensor, Tensor]


@torch.no_grad()
def freematch_update(
    state: FreeMatchState, probs: Tensor, momentum: float = 0.999, multi_label: bool = False
) -> FreeMatchState:
    """Move the running statistics towards this batch; the old state is left as it was.

    Args:
        state: ``(tau, pi, hist)``: a scalar and twice ``(C,)``; multi-label three times ``(C,)``.
        probs: Predictions on weak views ``(N, C)``, of all processes.
        momentum: Weight of the old state.
        multi_label: Classes are independent; a probability of .5 counts as positive.
    """
    if len(probs) == 0:
        return state
    sure = confidence(probs, multi_label)
    labels = hard_labels(probs, multi_label)
    if multi_label:
        share = labels.mean(dim=0)
    else:
        share = torch.bincount(labels, minlength=probs.shape[1]).to(probs.dtype) / len(probs)
    new = (sure.mean(dim=0), probs.mean(dim=0), share)
    first, second, third = (
        momentum * old + (1 - momentum) * now for old, now in zip(state, new, strict=True)
    )
    return first, second, third


@torch.no_grad()
def freematch_mask(state: FreeMatchState, probs: Tensor, multi_label: bool = False) -> Tensor:
    """Mark predictions that reach the threshold of their class.

    Multi-class the threshold is ``tau pi / max(pi)`` at the predicted class; multi-label
    ``tau pi / max(pi, 1 - pi)`` for a positive, ``tau (1 - pi) / max(pi, 1 - pi)`` for a negative.

    Args:
        state: ``(tau, pi, hist)``, updated with this batch already.
        probs: ``(N, C)``.
        multi_label: Classes are independent.

    Returns:
        Bool ``(N,)``; multi-label ``(N, C)``.
    """
    tau, pi, _ = state
    labels = hard_labels(probs, multi_label)
    if multi_label:
        rarer = torch.where(labels > 0, pi, 1 - pi)
        limit = tau * (rarer / torch.maximum(pi, 1 - pi))
    else:
        limit = tau * (pi / pi.max())[labels]
    return confidence(probs, multi_label) >= limit


def freematch_fairness(
    state: FreeMatchState, strong_logits: Tensor, mask: Tensor, multi_label: bool = False
) -> Tensor:
    """Negative cross-entropy between the running and the batch's class distribution, a scalar <= 0.

    Both distributions are divided by the share of predictions (``hist`` and that of the batch), so
    that a class counts by how sure it is and not by how often it is named; 1 / 0 becomes 0. Only
    masked-in entries take part; a class without one is left out, and without any the term is 0.
    It is *added* to the loss: going down, it raises the entropy. Only ``strong_logits`` get a
    gradient.

    Args:
        state: ``(tau, pi, hist)``.
        strong_logits: ``(N, C)``.
        mask: Bool ``(N,)``; multi-label ``(N, C)``.
        multi_label: Classes are independent.
    """
    mask = mask.bool()
    if not mask.any():
        return (strong_logits * 0).sum()
    _, pi, hist = (part.detach() for part in state)
    if multi_label:
        return _multi_label_fairness(pi, hist, strong_logits, mask)
    probs = strong_logits[mask].softmax(dim=-1)
    named = torch.bincount(probs.argmax(dim=-1), minlength=probs.shape[1]).to(probs.dtype)
    expected = _normalised(pi * _inverse(hist))
    found = _normalised(probs.mean(dim=0) * _inverse(named / len(probs)))
    return (expected * (found + _EPS).log()).sum()


def _multi_label_fairness(pi: Tensor, hist: Tensor, strong_logits: Tensor, mask: Tensor) -> Tensor:
    used = mask.any(dim=0)
    pi, hist, mask = pi[used], hist[used], mask[:, used].to(strong_logits.dtype)
    probs = strong_logits[:, used].sigmoid()
    size = mask.sum(dim=0)
    share = (mask * hard_labels(probs.detach(), True)).sum(dim=0) / size
    mean = (mask * probs).sum(dim=0) / size
    rest = (mask * (1 - probs)).sum(dim=0) / size
    expected = _odds(pi, 1 - pi, hist)
    # Each side of the odds by itself and not as 1 minus the other: what is left of 1 by rounding in
    # single precision would be divided by the 1e-12 in the gradient.
    return (expected * (_odds(mean, rest, share) + _EPS).log()).sum()


def _odds(positive: Tensor, negative: Tensor, share: Tensor) -> Tensor:
    """``(positive / share, negative / (1 - share))``, scaled to add up to 1, ``(2, C)``."""
    return _normalised(torch.stack([positive * _inverse(share), negative * _inverse(1 - share)]))


def _inverse(x: Tensor) -> Tensor:
    return torch.where(x == 0, torch.zeros_like(x), 1 / torch.where(x == 0, 1, x))


def _normalised(x: Tensor) -> Tensor:
    """Divide by the sum along the first dimension; nothing but zeros stays 0."""
    total = x.sum(dim=0)
    return x / torch.where(total == 0, 1, total)
