"""Average precision of multi-label predictions."""

from __future__ import annotations

import numpy as np

from rsmm.errors import ConfigError, DataError


def multilabel_average_precision(
    labels: np.ndarray, scores: np.ndarray, average: str = 'micro'
) -> float:
    """Average precision over all pairs of sample and class, or the mean over classes.

    Args:
        labels: ``(N, C)``, 1 where a class is present.
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

    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.shape != scores.shape or labels.ndim != 2:
        raise DataError(f'expected (N, C) twice, found {labels.shape} and {scores.shape}')
    if not np.isfinite(scores).all():
        raise DataError('scores hold NaN or infinity')
    occurs = labels.astype(bool).any(axis=0)
    if not occurs.any():
        raise DataError('no class occurs in the labels')
    if average == 'micro':
        return float(average_precision_score(labels.ravel(), scores.ravel()))
    if average == 'macro':
        return float(average_precision_score(labels[:, occurs], scores[:, occurs], average='macro'))
    raise ConfigError(f"average={average!r} is neither 'micro' nor 'macro'")
