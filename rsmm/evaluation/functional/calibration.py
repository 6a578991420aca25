"""Whether predictions are as sure as they are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsmm.errors import ConfigError, DataError


@dataclass(frozen=True)
class Reliability:
    """Predictions sorted into bins by confidence.

    Attributes:
        edges: Limits of the bins ``(K + 1,)``, 0..1; the upper one belongs to the bin.
        count: Predictions of each bin ``(K,)``.
        confidence: Their mean confidence ``(K,)``, NaN in an empty bin.
        accuracy: The share that is right ``(K,)``, NaN in an empty bin.
    """

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error, 0..1: mean distance of the two, weighted by the counts."""
        filled = self.count > 0
        distance = np.abs(self.confidence - self.accuracy)[filled]
        return float((self.count[filled] * distance).sum() / self.count.sum())


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> Reliability:
    """Sort predictions into bins of equal width (Guo et al., ICML 2017).

    Args:
        confidence: Probability of what was predicted ``(N,)``.
        right: Whether that was right ``(N,)``.
        bins: Number of bins.

    Raises:
        ConfigError: No bins.
        DataError: No predictions, lengths that differ, or confidences outside 0..1.
    """
    confidence, right = np.asarray(confidence, float), np.asarray(right, bool)
    if bins < 1:
        raise ConfigError(f'bins={bins}')
    if confidence.shape != right.shape or confidence.ndim != 1 or not len(right):
        raise DataError(f'expected (N,) twice, found {confidence.shape} and {right.shape}')
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise DataError('confidences are no probabilities')
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, confidence, side='left') - 1, 0, bins - 1)
    count = np.bincount(places, minlength=bins)
    with np.errstate(invalid='ignore'):
        mean, share = (
            np.bincount(places, weights=values, minlength=bins) / count
            for values in (confidence, right)
        )
    return Reliability(edges, count, mean, share)


def confidence_and_hits(
    labels: np.ndarray, scores: np.ndarray, multi_label: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Confidence of each prediction and whether it is right.

    Args:
        labels: Class ids ``(N,)``; multi-label ``(N, C)`` with -1 unknown.
        scores: Probabilities ``(N, C)``.
        multi_label: Every known pair of sample and class is a prediction of its own, present from
            .5 on.

    Returns:
        Two arrays ``(M,)``.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, float)
    if not multi_label:
        return scores.max(axis=1), scores.argmax(axis=1) == labels
    known = labels != -1
    present = scores >= 0.5
    return np.where(present, scores, 1 - scores)[known], (present == (labels == 1))[known]
