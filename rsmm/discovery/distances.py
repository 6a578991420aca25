"""From unit features to voxels that changed and stayed changed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from rsmm.errors import DataError

# Tails of real noise are heavier than exponential ones: how much farther the floor goes.
_MARGIN = 1.5
# Places whose whole series are in memory at once.
_PLACES = 8_192


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
    features: np.ndarray,
    changed: np.ndarray,
    threshold: float | np.ndarray,
    share: float = 0.0,
    confirm: bool = False,
) -> np.ndarray:
    """Return the changes that the rest of the series takes back.

    A change from t to t + 1 is temporary if the old state returns (some later frame is near frame
    t) or the new one was there before (some earlier frame is near frame t + 1). Clouds that come
    or leave, and fields within a series longer than their season, do so; a house that is built
    does not. Near is a distance not above ``threshold``, nor above ``share`` of the change itself.

    Args:
        features: ``(T, C, H, W)``, unit norm over C.
        changed: ``(T, H, W)`` bool, changes from each frame to the next; only these are looked at.
        threshold: As for :func:`persistent_change`.
        share: Of the change's own distance; a quarter is half of the way.
        confirm: Count as temporary as well what leaves a state that no earlier frame had for one
            that no later frame has, such as one cloud after another, and all that leaves the
            first frame: nothing tells whether that was a cloud.

    Returns:
        ``(T, H, W)`` bool, a part of ``changed``.
    """
    out = np.zeros_like(changed, dtype=bool)
    limits = np.broadcast_to(threshold, changed.shape[1:])
    for t in range(len(features) - 1):
        places = np.argwhere(changed[t])
        for start in range(0, len(places), _PLACES):
            rows, columns = places[start : start + _PLACES].T
            series = np.stack([frame[:, rows, columns] for frame in features])  # (T, C, N)
            near = limits[rows, columns]
            out[t, rows, columns] = _taken_back(series, t, near, share, confirm)
    return out


def _taken_back(
    series: np.ndarray, t: int, near: np.ndarray, share: float, confirm: bool
) -> np.ndarray:
    """Return which of N places return to frame t, or were like frame t + 1 before, ``(N,)``."""
    to_old = 1 - np.einsum('tcn,cn->tn', series, series[t])
    to_new = 1 - np.einsum('tcn,cn->tn', series, series[t + 1])
    near = np.maximum(near, share * to_old[t + 1])
    back = (to_old[t + 2 :] <= near).any(axis=0) | (to_new[:t] <= near).any(axis=0)
    if not confirm:
        return back
    known = (to_old[:t] <= near).any(axis=0) | (to_new[t + 2 :] <= near).any(axis=0)
    return back | ~known | (t == 0)


def spread_change(weak: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """Return the weak changes that touch a strong one, through each other, in place or time.

    The Otsu threshold lies between small and large changes, often in the midst of the large ones:
    alone it finds the heart of an event and loses its rim and its paler half.

    Args:
        weak: ``(T, H, W)`` bool.
        strong: ``(T, H, W)`` bool; only what is weak as well counts.
    """
    labels, _ = ndimage.label(weak, np.ones((3, 3, 3)))
    kept = np.zeros(labels.max() + 1, bool)
    kept[labels[strong & weak]] = True
    return kept[labels] & weak


def sharpen_change(changed: np.ndarray, d1: np.ndarray, window: int = 3) -> np.ndarray:
    """Return the changes that reach half of the strongest one beside them.

    Features that average over a window see an edge before they reach it. Where it lies the
    change has half its height, that is a quarter of the squared distance that ``d1`` is.

    Args:
        changed: ``(T, H, W)`` bool.
        d1: ``(T, H, W)`` distances to the next frame.
        window: Side of the average in grid cells.
    """
    reach = 2 * window - 1  # from the rim to where the window sees nothing but change
    peak = ndimage.maximum_filter(np.where(changed, d1, 0), (1, reach, reach))
    return changed & (d1 >= peak / 4)


def noise_floor(features: np.ndarray, lag: int = 6, alarms: float = 1e-3) -> float:
    """Return the distance that noise alone hardly ever exceeds.

    What changes is alike in neighbours, noise is not: half the squared difference of the change
    at two places ``lag`` apart is a distance that only noise made. Its median and upper quartile
    over a frame set an exponential tail, which is followed, half as far again, to where a share
    ``alarms`` of static ground would exceed it. The median over the frames is returned.

    Args:
        features: ``(T, C, H, W)``, unit norm over C; zeros are no data.
        lag: Grid cells between the two places: more than features share pixels over.
        alarms: Share of the voxels of static ground that may exceed the floor; persistence and
            the least size of an event have to deal with those.

    Returns:
        0 where there are fewer than two frames or the grid is not wider than the lag.
    """
    count, _, height, width = features.shape
    if count < 2 or max(height, width) <= lag:
        return 0.0
    tail = np.log(0.25 / alarms)
    floors = []
    for t in range(count - 1):
        step = (features[t + 1] - features[t]).astype(np.float64)
        blank = ~(features[t].any(axis=0) & features[t + 1].any(axis=0))
        step[:, blank] = np.nan
        pairs = (step[:, lag:] - step[:, :-lag], step[:, :, lag:] - step[:, :, :-lag])
        noise = np.concatenate([(pair**2).sum(axis=0).ravel() / 4 for pair in pairs])
        noise = noise[~np.isnan(noise)]
        if not noise.size:
            continue
        middle, upper = np.quantile(noise, (0.5, 0.75))
        floors.append(upper + _MARGIN * (upper - middle) / np.log(2) * tail)
    return float(np.median(floors)) if floors else 0.0
