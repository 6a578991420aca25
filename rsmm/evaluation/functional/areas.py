"""Areas of classes from a map and a sample of reference labels, with their uncertainty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rsmm.errors import DataError

#: Normal quantile of a 95 % interval.
Z95 = 1.959964


class AreaEstimate(NamedTuple):
    """Error-adjusted areas of K classes, in the unit of the mapped areas.

    Attributes:
        area: (K,) estimate.
        margin: (K,) half the width of its 95 % interval.
        users, producers: (K,) accuracies, NaN for classes that are not mapped or not found.
        overall: Accuracy, with mapped areas as weights.
    """

    area: np.ndarray
    margin: np.ndarray
    users: np.ndarray
    producers: np.ndarray
    overall: float


def adjusted_areas(confusion: np.ndarray, mapped: np.ndarray) -> AreaEstimate:
    """Correct mapped areas by what a validation found, and say how certain that is.

    Pixels counted in a map are biased by its confusions. With a sample of reference labels drawn
    from each mapped class at random, the area of class k is the sum over mapped classes i of
    ``W_i n_ik / n_i`` times the whole, and its variance the sum of
    ``W_i^2 p (1 - p) / (n_i - 1)`` with ``p = n_ik / n_i``.

    Source: Olofsson et al., "Good practices for estimating area and assessing accuracy of land
    change", Remote Sensing of Environment 148, 2014, equations 9 to 11.

    Args:
        confusion: (K, K) counts, rows mapped classes, columns reference classes.
        mapped: (K,) area of each class in the map, any unit.

    Raises:
        DataError: Another shape, negative or infinite numbers, or a mapped class of which the
            sample has fewer than two.
    """
    counts, mapped = np.asarray(confusion, np.float64), np.asarray(mapped, np.float64)
    if counts.ndim != 2 or counts.shape != (len(mapped),) * 2:
        raise DataError(f'confusion matrix {counts.shape} for {len(mapped)} mapped classes')
    for values in (counts, mapped):
        if not np.isfinite(values).all() or (values < 0).any():
            raise DataError('confusion matrix and areas must be finite and not negative')
    rows, total = counts.sum(axis=1), mapped.sum()
    thin = np.flatnonzero((mapped > 0) & (rows < 2))
    if len(thin) or not total:
        raise DataError(
            f'the validation has {int(rows[thin[0]])} samples of mapped class {thin[0]}'
            if len(thin)
            else 'nothing is mapped',
            fix='Each mapped class needs two or more',
        )
    weight = (mapped / total)[:, None]
    share = np.divide(counts, rows[:, None], out=np.zeros_like(counts), where=rows[:, None] > 0)
    proportion = weight * share
    found = proportion.sum(axis=0)
    variance = (weight**2 * share * (1 - share) / np.maximum(rows - 1, 1)[:, None]).sum(axis=0)
    right = np.diag(proportion)
    with np.errstate(invalid='ignore', divide='ignore'):
        users = np.where(rows > 0, np.diag(share), np.nan)
        producers = right / found
    margin = Z95 * np.sqrt(variance) * total
    return AreaEstimate(found * total, margin, users, producers, float(right.sum()))
