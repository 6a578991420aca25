"""Descriptors of changed voxels: whitened principal components and their mean distance."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist

# Rows that are read at once: 128 channels in float64 take 32 MiB.
_ROWS = 32_768


def gather(features: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Return the features of voxels ``(N, 3)`` as ``(N, C)`` float64, frame by frame."""
    out = np.empty((len(voxels), features.shape[1]))
    starts = np.searchsorted(voxels[:, 0], np.arange(len(features) + 1))
    for t, (low, high) in enumerate(pairwise(starts)):
        if low < high:
            out[low:high] = features[t][:, voxels[low:high, 1], voxels[low:high, 2]].T
    return out


def whiten(values: np.ndarray, components: int, eps: float) -> np.ndarray:
    """Return the left singular vectors of the centred values, the strongest first.

    Their scale is ``1 / sqrt(N)``, whatever the spread of the values was: distances mean
    something only beside each other. Directions that hold no more than the rounding of the
    values are left out; whitening would blow them up to the size of the others.

    Args:
        values: ``(N, C)`` float64; used up.
        components: Most columns to keep.
        eps: Relative rounding of the values before they were float64.

    Returns:
        ``(N, K)`` float64, K at most ``components``, 0 where all values are equal.
    """
    scale = np.sqrt(np.einsum('nc,nc->', values, values))
    values -= values.mean(axis=0)
    # R of the QR decomposition has the singular values of the whole, found without squaring.
    triangle: Any = np.empty((0, values.shape[1]))
    for start in range(0, len(values), _ROWS):
        triangle = np.linalg.qr(np.vstack([triangle, values[start : start + _ROWS]]), mode='r')
    _, singular, axes = np.linalg.svd(triangle, full_matrices=False)
    kept = singular[:components] > values.shape[1] * eps * scale
    axes, singular = axes[:components][kept], singular[:components][kept]
    return values @ (axes.T / singular)


def mean_distance(descriptors: np.ndarray, most: int, seed: int) -> float:
    """Return the mean distance of all pairs of rows, each row with itself included.

    Args:
        descriptors: ``(N, K)``.
        most: Rows to take; of more, so many are drawn.
        seed: Seed of the draw.
    """
    if len(descriptors) > most:
        drawn = np.random.default_rng(seed).choice(len(descriptors), most, replace=False)
        descriptors = descriptors[np.sort(drawn)]
    count = len(descriptors)
    return 2 * float(pdist(descriptors).sum()) / count**2 if count > 1 else 0.0
