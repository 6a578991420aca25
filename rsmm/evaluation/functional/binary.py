"""Two-class classification: accuracy, macro F1, AUROC, bootstrap intervals, values per group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsmm.errors import ConfigError, DataError

#: Scores of a report, in this order.
SCORES = ('accuracy', 'macro_f1', 'auroc')


def binary_auroc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties as one half.

    Args:
        truth: Classes 0 or 1, ``(N,)``.
        scores: Scores of class 1, ``(N,)``, on any scale.

    Returns:
        0 to 1, or NaN where a class is absent.
    """
    truth = np.asarray(truth, bool)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if positives == 0 or negatives == 0:
        return float('nan')
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # tied scores share the mean of their ranks
    wins = ranks[places][truth].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def binary_scores(truth: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Accuracy, macro F1 and AUROC ``(3,)``, 0 to 1.

    A class without samples and without predictions does not enter the mean of the F1 scores.

    Args:
        truth: Classes 0 or 1, ``(N,)``.
        scores: Scores of class 1, ``(N,)``.
        threshold: Scores above it are class 1.
    """
    truth, predicted = np.asarray(truth, bool), np.asarray(scores) > threshold
    right = truth == predicted
    f1 = []
    for label in (False, True):
        size = int((truth == label).sum() + (predicted == label).sum())
        if size:
            f1.append(2 * int((right & (truth == label)).sum()) / size)
    return np.array([right.mean(), np.mean(f1), binary_auroc(truth, scores)])


def majority_scores(truth: np.ndarray) -> tuple[float, float]:
    """Accuracy and macro F1 of always naming the class that is more frequent in ``truth``."""
    share = float(np.mean(np.asarray(truth, bool)))
    best = max(share, 1 - share)
    f1 = 2 * best / (1 + best)
    return best, f1 if best == 1 else f1 / 2


def binary_report(
    truth: np.ndarray,
    scores: np.ndarray,
    groups: Sequence[str] | None = None,
    *,
    threshold: float = 0.5,
    resamples: int = 1000,
    level: float = 0.95,
    by_group: bool = False,
    seed: int = 0,
) -> dict[str, float]:
    """Scores of a classifier, what a constant would reach, intervals, and each group by itself.

    The intervals are percentiles of the bootstrap (Efron, 1979). Samples drawn one by one take
    neighbouring tiles for independent, so the interval is rather too narrow; ``by_group`` draws
    whole groups, which asks for more than a handful of them.

    Args:
        truth: Classes 0 or 1, ``(N,)``.
        scores: Scores of class 1, ``(N,)``, 0 to 1.
        groups: Group of each sample, e.g. its city.
        threshold: Scores above it are class 1.
        resamples: Number of bootstrap samples; 0 for no intervals.
        level: Coverage of the intervals.
        by_group: Draw groups instead of samples.
        seed: Seed of the draws.

    Returns:
        In per cent: ``accuracy``, ``macro_f1`` and ``auroc``, each with ``_low`` and ``_high``;
        ``majority`` and ``majority_f1``, which always naming the larger class would give; and
        ``accuracy/GROUP``, ``auroc/GROUP`` and ``majority/GROUP``. An AUROC of one class alone is
        left out. ``samples`` is their number.

    Raises:
        DataError: No samples, lengths that differ, classes other than 0 and 1, scores not finite.
        ConfigError: A setting out of range.
    """
    truth, scores = np.asarray(truth), np.asarray(scores, float)
    _check(truth, scores, groups, resamples, level, by_group)
    report = dict(zip(SCORES, 100 * binary_scores(truth, scores, threshold), strict=True))
    names = np.array([''] * len(truth) if groups is None else list(groups))
    if resamples:
        rng = np.random.default_rng(seed)
        draws = np.array(
            [
                binary_scores(truth[rows], scores[rows], threshold)
                for rows in (_draw(rng, names, by_group) for _ in range(resamples))
            ]
        )
        for name, column in zip(SCORES, draws.T, strict=True):
            if np.isfinite(column).any():
                low, high = np.nanquantile(column, [(1 - level) / 2, (1 + level) / 2])
                report[f'{name}_low'], report[f'{name}_high'] = 100 * low, 100 * high
    for name, value in zip(('majority', 'majority_f1'), majority_scores(truth), strict=True):
        report[name] = 100 * value
    if groups is not None:
        for group in np.unique(names):
            rows = names == group
            accuracy, _, auroc = 100 * binary_scores(truth[rows], scores[rows], threshold)
            report[f'accuracy/{group}'], report[f'auroc/{group}'] = accuracy, auroc
            report[f'majority/{group}'] = 100 * majority_scores(truth[rows])[0]
    report['samples'] = len(truth)
    return {name: float(value) for name, value in report.items() if not np.isnan(value)}


def _draw(rng: np.random.Generator, names: np.ndarray, by_group: bool) -> np.ndarray:
    """Rows of one bootstrap sample."""
    if not by_group:
        return rng.integers(len(names), size=len(names))
    unique = np.unique(names)
    drawn = rng.choice(unique, len(unique))
    return np.concatenate([np.flatnonzero(names == name) for name in drawn])


def _check(
    truth: np.ndarray,
    scores: np.ndarray,
    groups: Sequence[str] | None,
    resamples: int,
    level: float,
    by_group: bool,
) -> None:
    counts = {len(truth), len(scores), len(truth) if groups is None else len(groups)}
    if len(counts) > 1 or 0 in counts:
        raise DataError(f'classes, scores and groups of {sorted(counts)} samples')
    if not np.isin(truth, (0, 1)).all():
        raise DataError(f'class {np.setdiff1d(truth, (0, 1))[0]} is neither 0 nor 1')
    if not np.isfinite(scores).all():
        raise DataError('scores are not finite', fix='Training has diverged')
    if resamples < 0 or not 0 < level < 1 or (by_group and groups is None):
        raise ConfigError(f'resamples={resamples}, level={level}, by_group={by_group}')
