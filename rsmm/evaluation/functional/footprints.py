"""Scores of single images: matching of instances, counts of pixels and instances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from rsmm.evaluation.functional.assignment import assign_like_dense
from rsmm.geo.overlap import FootprintSet, overlapping_pairs

#: Reward of a match before its IoU: the number of matches comes first.
_REWARD = 100.0


def match_footprints(
    truth: FootprintSet, proposals: FootprintSet, min_iou: float = 0.25
) -> list[tuple[int, int]]:
    """Match as many footprints as possible, and among those ways the one of largest total IoU.

    Where several ways are equally good, the choice is that of SciPy's ``linear_sum_assignment`` on
    the dense matrix of 100 + IoU (0 where the pair may not match), rows and columns in the given
    order. Memory grows with the number of overlaps and not with N x M.

    Args:
        truth: N footprints.
        proposals: M footprints.
        min_iou: A pair may match only if its IoU exceeds this (>).

    Returns:
        Pairs of positions, each position at most once, ascending.
    """
    return match_with_ties(truth, proposals, min_iou)[0]


def match_with_ties(
    truth: FootprintSet,
    proposals: FootprintSet,
    min_iou: float = 0.25,
    order: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[list[tuple[int, int]], int]:
    """As :func:`match_footprints`, and count the matches that a tie left open.

    Args:
        truth: N footprints.
        proposals: M footprints.
        min_iou: A pair may match only if its IoU exceeds this (>).
        order: Positions (N,) and (M,) in the order in which the rows and the columns of the matrix
            stand; as given without it.

    Returns:
        Pairs of positions, ascending, and the number of those that another, equally good way of
        matching does not contain.
    """
    g, p, iou = overlapping_pairs(truth, proposals, min_iou)
    keep = iou > min_iou
    g, p, iou = g[keep], p[keep], iou[keep]
    rows, columns = order or (np.arange(len(truth)), np.arange(len(proposals)))
    shape = (len(truth), len(proposals))
    found = assign_like_dense(np.argsort(rows)[g], np.argsort(columns)[p], _REWARD + iou, shape)
    pairs = zip(rows[found.row].tolist(), columns[found.column].tolist(), strict=True)
    return sorted(pairs), int(found.tied.sum())


def f1_score(tp: float, fp: float, fn: float) -> float:
    """Return 2 tp / (2 tp + fp + fn), 0 when the denominator is 0."""
    denominator = 2 * tp + fp + fn
    return 2 * tp / denominator if denominator else 0.0


def footprint_counts(
    truth: Sequence[shapely.Geometry] | np.ndarray,
    proposals: Sequence[shapely.Geometry] | np.ndarray,
    min_iou: float = 0.5,
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
