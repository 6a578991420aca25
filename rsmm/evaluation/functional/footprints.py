"""Scores of single images: matching of instances, counts of pixels and instances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from rsmm.geo.overlap import FootprintSet, overlapping_pairs

#: Reward of a match before its IoU: the number of matches comes first.
_REWARD = 100.0


def match_footprints(
    truth: FootprintSet, proposals: FootprintSet, min_iou: float = 0.25
) -> list[tuple[int, int]]:
    """Match as many footprints as possible, and among those ways the one of largest total IoU.

    Pairs whose both members have no alternative are matched directly, the rest by a sparse
    assignment, so memory grows with the number of overlaps and not with N x M.

    Args:
        truth: N footprints.
        proposals: M footprints.
        min_iou: A pair may match only if its IoU exceeds this (>).

    Returns:
        Pairs of positions, each position at most once, ascending.
    """
    g, p, iou = overlapping_pairs(truth, proposals, min_iou)
    keep = iou > min_iou
    g, p, iou = g[keep], p[keep], iou[keep]
    alone = (np.bincount(g, minlength=1)[g] == 1) & (np.bincount(p, minlength=1)[p] == 1)
    matched = list(zip(g[alone].tolist(), p[alone].tolist(), strict=True))
    matched += _assign(g[~alone], p[~alone], iou[~alone])
    return sorted(matched)


def _assign(g: np.ndarray, p: np.ndarray, iou: np.ndarray) -> list[tuple[int, int]]:
    """Assignment of largest total reward on a sparse bipartite graph."""
    if not len(g):
        return []
    rows, row = np.unique(g, return_inverse=True)
    columns, column = np.unique(p, return_inverse=True)
    # A stand-in column per row lets it stay unmatched; costs must be positive to be stored.
    own = np.arange(len(rows))
    cost = np.r_[2 * _REWARD + 1 - (_REWARD + iou), np.full(len(rows), 2 * _REWARD + 1)]
    graph = sparse.csr_matrix(
        (cost, (np.r_[row, own], np.r_[column, len(columns) + own])),
        shape=(len(rows), len(columns) + len(rows)),
    )
    left, right = min_weight_full_bipartite_matching(graph)
    real = right < len(columns)
    return list(zip(rows[left[real]].tolist(), columns[right[real]].tolist(), strict=True))


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
