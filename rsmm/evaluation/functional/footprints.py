"""Scores of single images: pixels and instances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from rsmm.evaluation.functional.change_tracking import match_footprints
from rsmm.geo.overlap import FootprintSet


def f1_score(tp: float, fp: float, fn: float) -> float:
    """Return 2 tp / (2 tp + fp + fn), 0 when the denominator is 0."""
    denominator = 2 * tp + fp + fn
    return 2 * tp / denominator if denominator else 0.0


def footprint_counts(
    truth: Sequence[shapely.Geometry], proposals: Sequence[shapely.Geometry], min_iou: float = 0.5
) -> tuple[int, int, int]:
    """Count matched, spurious and missed buildings of one image.

    Args:
        truth: N polygons.
        proposals: M polygons in the same coordinates.
        min_iou: A match needs an IoU above it (>).

    Returns:
        True positives, false positives, false negatives.
    """
    tp = len(match_footprints(FootprintSet(truth), FootprintSet(proposals), min_iou))
    return tp, len(proposals) - tp, len(truth) - tp


def pixel_counts(
    prediction: np.ndarray, target: np.ndarray, ignore_index: int = 255
) -> tuple[int, int, int]:
    """Count pixels of a binary map.

    Args:
        prediction: (H, W) bool.
        target: (H, W) of 0, 1 and ``ignore_index``.

    Returns:
        True positives, false positives, false negatives.
    """
    prediction = np.asarray(prediction, bool) & (target != ignore_index)
    positive = target == 1
    tp = int((prediction & positive).sum())
    return tp, int(prediction.sum()) - tp, int(positive.sum()) - tp
