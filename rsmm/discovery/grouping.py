"""Grouping changed voxels that lie near each other and look alike into events."""

from __future__ import annotations

import numpy as np

from rsmm.discovery.descriptors import gather, mean_distance, whiten
from rsmm.discovery.linking import connect, merge_labels
from rsmm.errors import DataError

# Points whose mean pairwise distance sets the limit, as published.
_SAMPLE = 5_000


def group_changes(
    changed: np.ndarray,
    features: np.ndarray,
    time_step: float = 4.0,
    radius: float = 20.0,
    factor: float = 0.5,
    components: int | None = 16,
    max_share: float = 0.1,
    seed: int = 0,
) -> np.ndarray:
    """Return the connected components of the changed voxels as a label volume.

    Two voxels are linked if their places ``(time_step * t, y, x)`` are at most ``radius`` apart
    and their descriptors less than ``factor`` times the mean distance of all pairs (5,000 random
    voxels, each with itself included); voxels of equal descriptors always look alike. The result
    is exact: the same as testing every pair, whatever the size.

    Args:
        changed: ``(T, H, W)`` bool; frames of which more than ``max_share`` changed are left out.
        features: ``(T, C, H, W)``; the descriptor of voxel ``(t, y, x)`` is that of frame t.
        time_step: Grid cells that one frame counts for.
        radius: Largest distance in grid cells.
        factor: Share of the mean descriptor distance.
        components: Whitened principal components kept; None: the features themselves.
        max_share: Largest share of a frame; a frame with exactly this share stays.
        seed: Seed of the random voxels.

    Returns:
        ``(T, H, W)`` int32, 0 = none, components from 1 by their first voxel.

    Raises:
        DataError: Shapes that do not fit, or a setting that makes no sense.
    """
    return group_changes_blockwise(
        changed, features, time_step, radius, factor, components, max_share, seed, rows=None
    )


def group_changes_blockwise(
    changed: np.ndarray,
    features: np.ndarray,
    time_step: float = 4.0,
    radius: float = 20.0,
    factor: float = 0.5,
    components: int | None = 16,
    max_share: float = 0.1,
    seed: int = 0,
    rows: int | None = 128,
) -> np.ndarray:
    """Do what :func:`group_changes` does, in bands of ``rows`` grid rows.

    Each band is linked with the ``radius`` rows below it, so that every pair meets in some band;
    components of neighbouring bands that share a voxel become one. The result is the same.

    Args:
        changed, features, time_step, radius, factor, components, max_share, seed: As there.
        rows: Rows of a band; None: all at once.
    """
    _check(changed, features, time_step, radius, factor, components)
    kept = np.asarray(changed, bool)
    few = kept.mean(axis=(1, 2)) <= max_share if kept.size else np.zeros(len(kept), bool)
    voxels = np.argwhere(kept & few[:, None, None])
    labels = np.zeros(kept.shape, np.int32)
    if not len(voxels):
        return labels
    descriptors = gather(features, voxels)
    if components is not None:
        descriptors = whiten(descriptors, components, _rounding(features.dtype))
    limit = factor * mean_distance(descriptors, _SAMPLE, seed)
    places = voxels * np.array([time_step, 1, 1])
    labels[tuple(voxels.T)] = _link(places, descriptors, radius, limit, rows)
    return labels


def _link(
    places: np.ndarray, descriptors: np.ndarray, radius: float, limit: float, rows: int | None
) -> np.ndarray:
    """Return the component of each point, from 1 by first point."""
    if rows is None:
        return connect(places, descriptors, radius, limit)
    pieces = []
    for start in range(0, int(places[:, 1].max()) + 1, rows):
        inside = (places[:, 1] >= start) & (places[:, 1] < start + rows + radius)
        index = np.flatnonzero(inside)
        if len(index):
            pieces.append((index, connect(places[index], descriptors[index], radius, limit)))
    return merge_labels(len(places), pieces)


def _rounding(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps if np.issubdtype(dtype, np.floating) else 2**-52)


def _check(
    changed: np.ndarray,
    features: np.ndarray,
    time_step: float,
    radius: float,
    factor: float,
    components: int | None,
) -> None:
    if changed.ndim != 3 or features.ndim != 4 or changed.shape != _volume(features):
        raise DataError(
            f'changes {tuple(changed.shape)} and features {tuple(features.shape)} do not fit',
            fix='Give (T, H, W) changes and (T, C, H, W) features of one grid',
        )
    if min(time_step, radius, factor) < 0 or (components is not None and components < 1):
        raise DataError(
            f'time_step {time_step}, radius {radius} and factor {factor} are not negative, '
            f'components {components} is at least 1 or None'
        )


def _volume(features: np.ndarray) -> tuple[int, int, int]:
    return (features.shape[0], *features.shape[2:])
