"""Polygons along pixel edges as sets of pixels, whose overlaps are exact counts.

Masks turned into polygons have integer corners and only horizontal and vertical sides. Counting
common pixels with one sparse product is then several times faster than cutting geometries, and
gives the same numbers.
"""

from __future__ import annotations

import numpy as np
import shapely
from scipy import sparse

#: Sets with more pixels than this are left to geometry, to bound memory.
MAX_PIXELS = 1 << 24


def pixel_runs(geometries: np.ndarray) -> np.ndarray | None:
    """Decompose valid pixel-edge polygons into horizontal runs.

    Args:
        geometries: (N,) polygons or multipolygons without self-crossings.

    Returns:
        (R, 4) int64 ``owner, row, first column, column after the last``, or None when a polygon
        does not follow the pixel edges or the set is too large.
    """
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    coordinates, ring = shapely.get_coordinates(rings, return_index=True)
    if not len(coordinates):
        return np.zeros((0, 4), np.int64)
    # Larger numbers could overflow the pixel numbers; NaN and infinity fail the comparison too.
    if not (np.abs(coordinates) < 2**30).all() or (coordinates % 1).any():
        return None
    points = coordinates.astype(np.int64)
    step = np.diff(points, axis=0)
    step[ring[1:] != ring[:-1]] = 0
    if (step != 0).all(axis=1).any():
        return None
    side = np.flatnonzero(step[:, 1])
    height = np.abs(step[side, 1])
    bottom = np.minimum(points[side, 1], points[side + 1, 1])
    row = np.repeat(bottom - np.r_[0, np.cumsum(height)[:-1]], height) + np.arange(height.sum())
    column = np.repeat(points[side, 0], height)
    who = np.repeat(owner[part[ring[side]]], height)
    # In every row the sides of a polygon alternate between entering and leaving it.
    order = np.lexsort((column, row, who))
    who, row, column = who[order], row[order], column[order]
    runs = np.stack([who[::2], row[::2], column[::2], column[1::2]], axis=1)
    return runs if (runs[:, 3] - runs[:, 2]).sum() <= MAX_PIXELS else None


def common_pixels(
    first: np.ndarray, count_first: int, second: np.ndarray, count_second: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the pixels that members of two sets share.

    Args:
        first: Runs of ``count_first`` polygons.
        second: Runs of ``count_second`` polygons.

    Returns:
        Positions in the first set (P,), in the second (P,), number of common pixels (P,) > 0.
    """
    if not len(first) or not len(second):
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0)
    origin = np.minimum(first[:, 1:3].min(axis=0), second[:, 1:3].min(axis=0))
    width = max(first[:, 3].max(), second[:, 3].max()) - origin[1]
    owners, pixels = zip(*(_expand(runs, origin, width) for runs in (first, second)), strict=True)
    columns = int(max(keys.max() for keys in pixels)) + 1
    if columns > MAX_PIXELS:  # far-flung polygons: number only the pixels that occur
        occurring, inverse = np.unique(np.concatenate(pixels), return_inverse=True)
        pixels, columns = np.split(inverse, [len(pixels[0])]), len(occurring)
    counts = count_first, count_second
    left, right = (
        sparse.csr_matrix((np.ones(len(who)), (who, where)), shape=(count, columns))
        for who, where, count in zip(owners, pixels, counts, strict=True)
    )
    product = (left @ right.T).tocoo()
    return product.row, product.col, product.data


def _expand(runs: np.ndarray, origin: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Owner and number of every pixel of the runs."""
    length = runs[:, 3] - runs[:, 2]
    begin = (runs[:, 1] - origin[0]) * width + runs[:, 2] - origin[1]
    pixel = np.repeat(begin - np.r_[0, np.cumsum(length)[:-1]], length) + np.arange(length.sum())
    return np.repeat(runs[:, 0], length), pixel
