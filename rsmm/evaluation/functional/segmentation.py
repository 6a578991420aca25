"""Scores of class maps from one confusion matrix over a data set."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from typing import Any

import numpy as np

from rsmm.errors import ConfigError, DataError

#: What a class without a pixel in truth and prediction counts in the mean IoU.
ABSENT = ('skip', 'zero', 'one')


def as_array(values: Any) -> np.ndarray:
    """Return a tensor or array-like as an array on the host."""
    return np.asarray(values.detach().cpu() if hasattr(values, 'detach') else values)


def counted_pixels(target: np.ndarray, ignore: Any) -> np.ndarray:
    """Return where pixels count.

    Args:
        target: Truth.
        ignore: None, a label, several labels, or a bool array of the target's shape that is true
            where pixels do not count.

    Raises:
        DataError: A bool array of another shape, or a map that is not bool: its values would be
            taken for labels.
    """
    if ignore is None:
        return np.ones(target.shape, bool)
    marks = as_array(list(ignore) if isinstance(ignore, Set) else ignore)
    if marks.dtype != bool:
        if marks.ndim > 1:
            raise DataError(
                f'ignore is an array {marks.shape} of {marks.dtype}, expected labels or bool',
                fix='Turn a map of pixels that do not count into bool',
            )
        return ~np.isin(target, marks)
    if marks.shape != target.shape:
        raise DataError(f'ignore is {marks.shape}, the target {target.shape}')
    return ~marks


def confusion_matrix(
    pred: Any, target: Any, num_classes: int, ignore: int | Sequence[int] | None = None
) -> np.ndarray:
    """Count pixels by true and predicted class.

    Args:
        pred: Predicted classes, integers of any shape; array or tensor.
        target: True classes, same shape.
        num_classes: K; labels are 0..K-1.
        ignore: True labels that do not count: one, several, or a bool array. May lie outside
            0..K-1. The prediction at these pixels is not looked at.

    Returns:
        (K, K) int64: rows are the truth, columns the prediction.

    Raises:
        DataError: Shapes differ, or a label that counts lies outside 0..K-1.
    """
    pred, target = as_array(pred), as_array(target)
    if pred.shape != target.shape:
        raise DataError(f'prediction {pred.shape} and target {target.shape} differ in shape')
    keep = counted_pixels(target, ignore)
    # Wide before the product below: labels come as uint8.
    truth = _labels(target[keep], num_classes, 'target')
    found = _labels(pred[keep], num_classes, 'prediction')
    counts = np.bincount(truth * num_classes + found, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def _labels(values: np.ndarray, num_classes: int, name: str) -> np.ndarray:
    with np.errstate(invalid='ignore'):  # NaN is named below
        labels = values.astype(np.int64)
    wrong = (labels != values) | (labels < 0) | (labels >= num_classes)
    if wrong.any():
        shown = ', '.join(str(value) for value in np.unique(values[wrong])[:5].tolist())
        raise DataError(
            f'the {name} holds {shown}, expected whole numbers 0..{num_classes - 1}',
            fix='Set ignore for labels that do not count, or the right number of classes',
        )
    return labels


def seg_scores(
    matrix: np.ndarray,
    ignore: int | Collection[int] | None = None,
    include_background: bool = True,
    background: int = 0,
    absent: str = 'skip',
) -> dict[str, float | np.ndarray]:
    """Accuracy and IoU from a confusion matrix.

    Pixels of an ignored class do not count; predicting it elsewhere is still an error there.

    Args:
        matrix: (K, K), rows the truth, columns the prediction.
        ignore: Classes that are no classes (void): one or several. Labels outside 0..K-1 have no
            pixels here and change nothing.
        include_background: False ignores ``background`` as well.
        background: Label of the background.
        absent: A class that occurs neither in the truth nor in the prediction is left out of the
            means (``'skip'``) or counts 0 or 1.

    Returns:
        ``oa`` (share of right pixels), ``miou``, ``macc`` (mean recall over classes in the truth),
        ``mf1``; ``iou``, ``recall``, ``precision``, ``f1`` (K,) with NaN for ignored and, with
        ``'skip'``, absent classes; 0..1, and 0 where nothing is defined.

    Raises:
        ConfigError: Another ``absent``.
        DataError: The matrix is not square.
    """
    if absent not in ABSENT:
        raise ConfigError(f'absent={absent!r}', fix=f'Known: {", ".join(ABSENT)}')
    matrix = np.array(as_array(matrix), np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f'expected a square matrix, found {matrix.shape}')
    classes = np.arange(len(matrix))
    out = ~counted_pixels(classes, ignore)
    if not include_background:
        out |= classes == background
    matrix[out] = 0
    hit, truth, found = np.diag(matrix), matrix.sum(1), matrix.sum(0)
    scores = {
        'iou': _ratio(hit, truth + found - hit, absent),
        'recall': _ratio(hit, truth, absent),
        'precision': _ratio(hit, found, absent),
        'f1': _ratio(2 * hit, truth + found, absent),
    }
    for values in scores.values():
        values[out] = np.nan
    return {
        'oa': float(hit.sum() / matrix.sum()) if matrix.any() else 0.0,
        'miou': _mean(scores['iou']),
        'macc': _mean(np.where(truth > 0, scores['recall'], np.nan)),
        'mf1': _mean(scores['f1']),
        **scores,
    }


def _ratio(part: np.ndarray, whole: np.ndarray, absent: str) -> np.ndarray:
    empty = {'skip': np.nan, 'zero': 0.0, 'one': 1.0}[absent]
    return np.divide(part, whole, out=np.full(part.shape, empty), where=whole > 0)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0
