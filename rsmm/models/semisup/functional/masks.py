"""Which pseudo-labels count: fixed, aligned, per class, by quantile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rsmm.errors import ConfigError

_EPS = 1e-6


def confidence(probs: Tensor, multi_label: bool = False) -> Tensor:
    """How sure a prediction is: the largest probability ``(N,)``; multi-label ``max(p, 1 - p)``.

    Args:
        probs: ``(N, C)``.
        multi_label: Classes are independent; the result is ``(N, C)``.
    """
    return torch.maximum(probs, 1 - probs) if multi_label else probs.amax(dim=-1)


def fixed_mask(
    probs: Tensor, threshold: float | Sequence[float] | Tensor, multi_label: bool = False
) -> Tensor:
    """Mark the predictions that reach a threshold; the threshold itself counts.

    Args:
        probs: ``(N, C)``.
        threshold: A number for the confidence, or a tensor of them that fits it; multi-label also
            a pair (low, high), which keeps ``p <= low`` and ``p >= high``.
        multi_label: Classes are independent.

    Returns:
        Bool ``(N,)``; multi-label ``(N, C)``.

    Raises:
        ConfigError: A pair where there is one label per sample, or not a pair.
    """
    if isinstance(threshold, Sequence):
        if not multi_label or len(threshold) != 2 or not threshold[0] <= threshold[1]:
            raise ConfigError(
                f'threshold={tuple(threshold)} is not one number or, multi-label, (low, high)',
                where='threshold',
            )
        low, high = threshold
        return (probs <= low) | (probs >= high)
    return confidence(probs, multi_label) >= threshold


def hard_labels(probs: Tensor, multi_label: bool = False) -> Tensor:
    """Most likely class ids ``(N,)``; multi-label 0 or 1 ``(N, C)``, where .5 is 1."""
    return (probs >= 0.5).to(probs.dtype) if multi_label else probs.argmax(dim=-1)


def align(probs: Tensor, model_mean: Tensor, target: Tensor, multi_label: bool = False) -> Tensor:
    """Move predictions so that their mean approaches a target distribution.

    Args:
        probs: ``(N, C)``.
        model_mean: Running mean of the model's predictions ``(C,)``, this batch included.
        target: Wanted mean ``(C,)``.
        multi_label: Each class is aligned by itself, as present against absent.

    Returns:
        ``(N, C)``; rows add up to 1 unless multi-label.
    """
    present = probs * (target + _EPS) / (model_mean + _EPS)
    if not multi_label:
        return present / present.sum(dim=-1, keepdim=True)
    absent = (1 - probs) * (1 - target + _EPS) / (1 - model_mean + _EPS)
    return present / (present + absent)


def sharpen(probs: Tensor, temperature: float) -> Tensor:
    """``p ** (1 / temperature)``, rows normalised to 1.

    Args:
        probs: ``(N, C)``.
        temperature: Below 1 sharpens, above flattens.

    Raises:
        ConfigError: The temperature is not positive.
    """
    if temperature <= 0:
        raise ConfigError(f'temperature must be positive, found {temperature}', where='temperature')
    # Through logarithms: high powers of small probabilities would all become 0.
    return torch.softmax(probs.log() / temperature, dim=-1)


def flex_thresholds(counts: Tensor, total: int, threshold: float) -> Tensor:
    """FlexMatch's thresholds per class, lower where a class is learned less.

    ``a = counts / max(max(counts), total - sum(counts))``, threshold ``a / (2 - a)``: samples that
    nothing confident was said about yet compete with the leading class, so that all thresholds
    start at 0. Source: Zhang et al., NeurIPS 2021, Algorithm 1.

    Args:
        counts: Unlabelled samples with a confident prediction, per class ``(C,)``.
        total: Size of the unlabelled set.
        threshold: Upper limit of the thresholds.

    Returns:
        ``(C,)``, float64 for whole numbers.
    """
    counts = torch.as_tensor(counts)
    if not counts.is_floating_point():
        counts = counts.double()
    most = torch.maximum(counts.max(), total - counts.sum())
    learned = counts / most if most > 0 else torch.zeros_like(counts)
    return threshold * learned / (2 - learned)


def adamatch_threshold(labelled_probs: Tensor, threshold: float) -> Tensor:
    """AdaMatch's relative threshold: a share of the mean confidence on labelled samples.

    Args:
        labelled_probs: ``(N, C)``.
        threshold: The share, e.g. .9.

    Returns:
        Scalar.
    """
    return threshold * labelled_probs.detach().amax(dim=-1).mean()


def dash_threshold(rho0: Any, step: int) -> Any:
    """Dash's limit of the loss: ``max(1.0001 * 1.27 ** -step * rho0, .05)``.

    Args:
        rho0: Mean loss on labelled samples after the supervised start, a number or a tensor.
        step: Decays so far, from 0.
    """
    decayed = 1.0001 * 1.27 ** -float(step) * rho0
    if isinstance(decayed, Tensor):
        return decayed.clamp(min=0.05)
    return max(decayed, 0.05)


def cap_thresholds(
    queue: Tensor, positive_rate: Tensor, pos_per: float = 1.0, neg_per: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """CAP's thresholds per class: as many positives as among the labelled samples.

    The quantile ``q`` of a column is ``sorted[clip(floor(n q), 0, n - 1)]``. With ``pos_per`` and
    ``neg_per`` 1 the three thresholds are the same, and every entry is used.

    Args:
        queue: Recent predictions ``(n, C)``.
        positive_rate: Share of labelled samples that have the class ``(C,)``.
        pos_per: Share of the expected positives that is trusted.
        neg_per: Share of the expected negatives that is trusted.

    Returns:
        For the label (quantile ``1 - rate``), for a trusted positive (``1 - pos_per rate``) and for
        a trusted negative (``neg_per (1 - rate)``), each ``(C,)``.
    """
    rate = positive_rate.to(queue)
    ordered = queue.sort(dim=0).values
    quantiles = torch.stack([1 - rate, 1 - pos_per * rate, neg_per * (1 - rate)])
    rows = (len(queue) * quantiles).floor().long().clamp(0, len(queue) - 1)
    label, positive, negative = ordered.gather(0, rows)
    return label, positive, negative
