"""Losses on labelled and unlabelled samples, and between two networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError


def supervised(logits: Tensor, labels: Tensor, multi_label: bool = False) -> Tensor:
    """Mean cross-entropy; multi-label mean binary cross-entropy of the entries that are known.

    Args:
        logits: ``(N, C)``.
        labels: Class ids ``(N,)`` or probabilities ``(N, C)``; multi-label ``(N, C)``, -1 where
            nothing is known.
        multi_label: Classes are independent.

    Returns:
        Scalar; 0 where no entry is known.
    """
    if not multi_label:
        return F.cross_entropy(logits, labels)
    known = labels != -1
    targets = torch.where(known, labels, 0).to(logits.dtype)
    entries = F.binary_cross_entropy_with_logits(logits, targets, reduction='none')
    return (entries * known).sum() / known.sum().clamp(min=1)


def consistency(logits: Tensor, target: Tensor, weight: Tensor, kind: str = 'ce') -> Tensor:
    """Weighted mean loss against pseudo-labels; samples of weight 0 count in the mean.

    Args:
        logits: ``(N, C)``.
        target: Class ids ``(N,)`` or probabilities ``(N, C)``; no gradient flows into it.
        weight: Bool or float ``(N,)``; for ``'bce'`` ``(N, C)``.
        kind: ``'ce'`` cross-entropy; ``'bce'`` binary cross-entropy, a mean over ``N C`` entries;
            ``'mse'`` squared error of the softmax, a mean over the classes.

    Returns:
        Scalar.

    Raises:
        ConfigError: Unknown kind.
    """
    target, weight = target.detach(), weight.detach().to(logits.dtype)
    if kind == 'bce' and weight.ndim == 1:
        weight = weight[:, None]
    if target.is_floating_point():
        target = target.to(logits.dtype)
    elif kind != 'ce' and target.ndim == 1:
        target = F.one_hot(target, logits.shape[1])
    if kind == 'ce':
        losses = F.cross_entropy(logits, target, reduction='none')
    elif kind == 'bce':
        losses = F.binary_cross_entropy_with_logits(
            logits, target.to(logits.dtype), reduction='none'
        )
    elif kind == 'mse':
        losses = (logits.softmax(dim=-1) - target).square().mean(dim=-1)
    else:
        raise ConfigError(f"kind={kind!r} is none of 'ce', 'bce', 'mse'", where='kind')
    if len(logits) == 0:
        return logits.sum()
    return (losses * weight).mean()


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    gamma_neg: float = 4.0,
    gamma_pos: float = 1.0,
    clip: float = 0.05,
) -> Tensor:
    """Binary cross-entropy that passes over easy negatives, entry by entry.

    ``-(1 - p_t) ** g [y ln p + (1 - y) ln min(1 - p + clip, 1)]``, where ``p_t`` is what the entry
    gives its label and ``g`` the label's ``gamma``. A negative below ``clip`` costs nothing. The
    focusing factor carries no gradient. Source: Ridnik et al., ICCV 2021.

    Args:
        logits: ``(N, C)``.
        targets: 0 or 1 ``(N, C)``.
        gamma_neg: Focusing of negatives.
        gamma_pos: Focusing of positives.
        clip: Margin of negatives.

    Returns:
        ``(N, C)``.
    """
    targets = targets.to(logits.dtype)
    present = logits.sigmoid()
    absent = (1 - present + clip).clamp(max=1)
    # Where 1 - p can reach 0, its logarithm is taken from the logit.
    log_absent = absent.log() if clip > 0 else F.logsigmoid(-logits)
    entropy = targets * F.logsigmoid(logits) + (1 - targets) * log_absent
    with torch.no_grad():
        right = present * targets + absent * (1 - targets)
        focus = (1 - right) ** (gamma_pos * targets + gamma_neg * (1 - targets))
    return -focus * entropy


def distill(student: Tensor, teacher: Tensor, kind: str) -> Tensor:
    """Distance of the student's features to the teacher's, which get no gradient.

    Args:
        student: ``(N, D)``.
        teacher: ``(N, D)``.
        kind: ``'mse'`` or ``'mae'``, means over all entries; ``'cos'``, minus the mean cosine
            similarity; ``'none'``, 0.

    Returns:
        Scalar.

    Raises:
        ConfigError: Unknown kind.
    """
    teacher = teacher.detach()
    if kind == 'mse':
        return F.mse_loss(student, teacher)
    if kind == 'mae':
        return F.l1_loss(student, teacher)
    if kind == 'cos':
        return -F.cosine_similarity(student, teacher, dim=-1).mean()
    if kind == 'none':
        return student.new_zeros(())
    raise ConfigError(f"{kind!r} is none of 'mse', 'mae', 'cos', 'none'", where='distill')
