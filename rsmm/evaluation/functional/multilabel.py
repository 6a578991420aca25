"""Average precision and F1 of multi-label predictions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rsmm.errors import ConfigError, DataError

#: A label of which nothing is known.
UNKNOWN = -1


def multilabel_average_precision(
    labels: np.ndarray, scores: np.ndarray, average: str = 'micro'
) -> float:
    """Average precision over all pairs of sample and class, or the mean over classes.

    Args:
        labels: ``(N, C)``, 1 where a class is present, -1 where that is unknown; such pairs are
            left out.
        scores: ``(N, C)``, higher is more likely.
        average: ``'micro'`` ranks all pairs together; ``'macro'`` takes the mean of the classes
            that occur (a class without a positive has no average precision).

    Returns:
        0..1.

    Raises:
        ConfigError: Unknown average.
        DataError: Shapes differ, a score is not finite, or no class occurs.
    """
    from sklearn.metrics import average_precision_score

    labels, scores, known = _checked(labels, scores)
    occurs = ((labels == 1) & known).any(axis=0)
    if not occurs.any():
        raise DataError('no class occurs in the labels')
    if average == 'micro':
        return float(average_precision_score(labels[known], scores[known]))
    if average == 'macro':
        each = [
            average_precision_score(labels[known[:, k], k], scores[known[:, k], k])
            for k in np.flatnonzero(occurs)
        ]
        return float(np.mean(each))
    raise _unknown_average(average)


def multilabel_f1(
    labels: np.ndarray,
    scores: np.ndarray,
    average: str = 'macro',
    threshold: float = 0.5,
    threshold_on: str = 'probability',
) -> float:
    """F1 of the classes whose probability exceeds a threshold.

    Args:
        labels: ``(N, C)``, 1, 0, or -1 where unknown; such pairs are left out.
        scores: Probabilities ``(N, C)``.
        average: ``'micro'`` counts all pairs together; ``'macro'`` is the mean over the classes
            that occur or are predicted.
        threshold: What must be exceeded.
        threshold_on: ``'probability'``, or ``'logit'``: the threshold is one of the logits, as in
            some published code, where .5 means a probability of .622.

    Returns:
        0..1.

    Raises:
        ConfigError: Unknown average or scale.
        DataError: Shapes differ, a score is not finite, or nothing occurs or is predicted.
    """
    if threshold_on not in ('probability', 'logit'):
        raise ConfigError(f"threshold_on={threshold_on!r} is neither 'probability' nor 'logit'")
    if average not in ('micro', 'macro'):
        raise _unknown_average(average)
    labels, scores, known = _checked(labels, scores)
    if threshold_on == 'logit':
        threshold = 1 / (1 + math.exp(-threshold))
    present, found = (labels == 1) & known, (scores > threshold) & known
    axis = 0 if average == 'macro' else None
    size = np.atleast_1d(present.sum(axis) + found.sum(axis))
    hits = np.atleast_1d((present & found).sum(axis))
    if not size.any():
        raise DataError('no class occurs or is predicted')
    return float((2 * hits[size > 0] / size[size > 0]).mean())


def _checked(labels: Any, scores: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.shape != scores.shape or labels.ndim != 2:
        raise DataError(f'expected (N, C) twice, found {labels.shape} and {scores.shape}')
    if not np.isfinite(scores).all():
        raise DataError('scores hold NaN or infinity')
    return labels, scores, labels != UNKNOWN


def _unknown_average(average: str) -> ConfigError:
    return ConfigError(f"average={average!r} is neither 'micro' nor 'macro'")
