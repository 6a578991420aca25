"""From unit features to voxels that changed and stayed changed."""

from __future__ import annotations

import numpy as np

from rsmm.errors import DataError


def change_distances(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each place moves within one and within two frames.

    ``d1[t] = 1 - <F_t, F_t+1>`` and ``d2[t] = 1 - <F_t, F_t+2>``; the last frame of ``d1`` and
    the last two of ``d2`` have no partner and are 0.

    Args:
        features: ``(T, C, H, W)``, unit norm over C.

    Returns:
        Two arrays ``(T, H, W)`` of cosine distances in 0..2, the dtype of ``features``.

    Raises:
        DataError: Another number of dimensions.
    """
    if features.ndim != 4:
        raise DataError(f'features are (T, C, H, W), got shape {tuple(features.shape)}')
    return _distance(features, 1), _distance(features, 2)


def _distance(features: np.ndarray, gap: int) -> np.ndarray:
    count, _, height, width = features.shape
    out = np.zeros((count, height, width), features.dtype)
    for t in range(count - gap):  # frame by frame, so that a memory map is read in order
        out[t] = 1 - np.einsum('chw,chw->hw', features[t], features[t + gap])
    return out


def otsu_threshold(values: np.ndarray, steps: int = 25) -> float:
    """Return the threshold that parts values best into two classes.

    Candidates are ``min + i (max - min) / steps`` for ``i = 0 .. steps - 1``; the first that
    maximises ``w1 w2 (m1 - m2)^2`` is kept, class 1 being the values not above it.

    Args:
        values: Any shape; computed in float64.
        steps: Number of candidates.

    Raises:
        DataError: No values, values that are not finite, or no steps.
    """
    ordered = np.sort(np.asarray(values, np.float64), axis=None)
    if steps < 1 or ordered.size == 0:
        raise DataError(f'Otsu needs values and steps, got {ordered.size} and {steps}')
    if not np.isfinite(ordered[[0, -1]]).all():
        raise DataError('values hold NaN or infinity', fix='Mask pixels without data first')
    low, high = ordered[0], ordered[-1]
    candidates = low + np.arange(steps) * (high - low) / steps
    below = np.searchsorted(ordered, candidates, side='right')
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    above = ordered.size - below
    first = sums[below] / np.maximum(below, 1)
    second = (sums[-1] - sums[below]) / np.maximum(above, 1)
    share = below / ordered.size
    between = np.where(above > 0, share * (1 - share) * (first - second) ** 2, 0)
    return float(candidates[np.argmax(between)])


def persistent_change(
    d1: np.ndarray, d2: np.ndarray, threshold: float | np.ndarray, d3: np.ndarray | None = None
) -> np.ndarray:
    """Return where a change is seen in the next frame and still in the one after.

    This kills the arrival of a cloud that stays for one frame: two frames later the ground looks
    as before. It does not kill its departure: from the cloud to the ground that returns, both
    distances are large. :func:`temporary_change` and the cloud test of
    :func:`~rsmm.discovery.cut_events` take care of that; a third difference kills the arrival
    of clouds that stay for two frames, and no departure either.

    Args:
        d1: ``(T, H, W)`` distances to the next frame.
        d2: ``(T, H, W)`` distances to the one after.
        threshold: Distances above it are changes; a number or ``(H, W)``.
        d3: ``(T, H, W)`` distances to the third frame; None: not asked for.

    Returns:
        ``(T, H, W)`` bool.

    Raises:
        DataError: Shapes that differ.
    """
    if d1.shape != d2.shape or (d3 is not None and d3.shape != d1.shape):
        raise DataError(f'distances of shapes {d1.shape} and {d2.shape} are not of one series')
    changed = (d1 > threshold) & (d2 > threshold)
    return changed if d3 is None else changed & (d3 > threshold)


def temporary_change(
    features: np.ndarray, changed: np.ndarray, threshold: float | np.ndarray
) -> np.ndarray:
    """Return the changes that the rest of the series takes back.

    A change from t to t + 1 is temporary if the old state returns (some later frame is within
    ``threshold`` of frame t) or the new one was there before (some earlier frame is within
    ``threshold`` of frame t + 1). Clouds that come or leave, and fields within a series longer
    than their season, do so; a house that is built does not.

    Args:
        features: ``(T, C, H, W)``, unit norm over C.
        changed: ``(T, H, W)`` bool, changes from each frame to the next; only these are looked at.
        threshold: As for :func:`persistent_change`.

    Returns:
        ``(T, H, W)`` bool, a part of ``changed``.
    """
    out = np.zeros_like(changed, dtype=bool)
    count = len(features)
    limits = np.broadcast_to(threshold, changed.shape[1:])
    for t in range(count - 1):
        rows, columns = np.nonzero(changed[t])
        if not len(rows):
            continue
        near = 1 - limits[rows, columns]
        old, new = features[t][:, rows, columns], features[t + 1][:, rows, columns]
        back = np.zeros(len(rows), bool)
        for s in (s for s in range(count) if s not in (t, t + 1)):
            other = features[s][:, rows, columns]
            back |= np.einsum('cn,cn->n', old if s > t else new, other) >= near
        out[t, rows, columns] = back
    return out
