"""Scores of binary change maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rsmm.errors import DataError
from rsmm.evaluation.functional.segmentation import as_array, counted_pixels


def change_counts(pred: Any, target: Any, ignore: Any = None) -> np.ndarray:
    """Count pixels of two binary maps.

    Args:
        pred: Predicted change: bool, or integers of which all but 0 are change. Array or tensor.
        target: True change, same shape and convention (0/1 and 0/255 alike).
        ignore: None, label(s) of the target that do not count, or a bool array, true where pixels
            do not count.

    Returns:
        (4,) int64: true positives, false positives, false negatives, true negatives.

    Raises:
        DataError: Shapes differ, or values are fractions or NaN.
    """
    pred, target = as_array(pred), as_array(target)
    if pred.shape != target.shape:
        raise DataError(f'prediction {pred.shape} and target {target.shape} differ in shape')
    keep = counted_pixels(target, ignore)
    p, t = (_binary(values[keep]) for values in (pred, target))
    hit, found, true = (int(np.count_nonzero(x)) for x in (p & t, p, t))
    return np.array([hit, found - hit, true - hit, p.size - found - true + hit], np.int64)


def _binary(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == 'f' and not (values == np.rint(values)).all():
        raise DataError(
            'a change map holds fractions or NaN, expected yes or no',
            fix='Apply a threshold first, e.g. probability > 0.5',
        )
    return values != 0


def scores_from_counts(counts: Sequence[int] | np.ndarray) -> dict[str, float]:
    """Return precision, recall, F1, IoU and Cohen's kappa of counts (TP, FP, FN, TN).

    Values are 0..1 (kappa: at most 1, negative when worse than chance); 0 where undefined.
    """
    hit, false, missed, quiet = (float(count) for count in counts)
    total = hit + false + missed + quiet
    agree = _ratio(hit + quiet, total)
    found, true = hit + false, hit + missed
    chance = _ratio(found * true + (total - found) * (total - true), total * total)
    return {
        'precision': _ratio(hit, found),
        'recall': _ratio(hit, true),
        'f1': _ratio(2 * hit, found + true),
        'iou': _ratio(hit, hit + false + missed),
        'kappa': _ratio(agree - chance, 1 - chance),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def binary_change_scores(pred: Any, target: Any, ignore: Any = None) -> dict[str, float]:
    """Score a change map over all its pixels together (micro).

    Args:
        pred: Predicted change: bool, or integers of which all but 0 are change.
        target: True change, same shape.
        ignore: None, label(s) of the target that do not count, or a bool array.

    Returns:
        ``precision``, ``recall``, ``f1``, ``iou``, ``kappa``, 0 where undefined.

    Raises:
        DataError: Shapes differ, or values are fractions.
    """
    return scores_from_counts(change_counts(pred, target, ignore))
