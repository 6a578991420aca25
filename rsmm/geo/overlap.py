"""Sparse pairwise overlap of two sets of polygons."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import shapely

from rsmm.geo.pixelsets import common_pixels, pixel_runs
from rsmm.geo.polygons import polygonal, repair

_CHUNK = 4096


class FootprintSet:
    """Polygons with everything that overlap computations need, computed once.

    Args:
        geometries: Polygons or multipolygons; empty geometries of any type are allowed.
        where: What to name in the error about another geometry.

    Attributes:
        geometry: (N,) polygons as given, without z.
        shape: (N,) the same, with invalid ones repaired; used for intersections.
        area: (N,) areas of the polygons as given. A self-crossing ring has its shoelace area.
        bounds: (N, 4) minx, miny, maxx, maxy; NaN for empty ones.
        valid: (N,) bool.
        runs: Horizontal pixel runs when all polygons follow the pixel edges, else None.
    """

    def __init__(
        self, geometries: Sequence[shapely.Geometry] | np.ndarray, where: str | None = None
    ) -> None:
        self.geometry = polygonal(geometries, where)
        self.valid = shapely.is_valid(self.geometry)
        self.shape = self.geometry if self.valid.all() else repair(self.geometry)
        self.area = shapely.area(self.geometry)
        self.bounds = shapely.bounds(self.geometry).reshape(-1, 4)
        self.runs = pixel_runs(self.geometry) if self.valid.all() else None

    def __len__(self) -> int:
        return len(self.geometry)

    def take(self, index: np.ndarray) -> FootprintSet:
        """Return the subset with the given distinct positions, in their order."""
        runs = self.runs
        if runs is not None:
            position = np.full(len(self), -1)
            position[index] = np.arange(len(index))
            runs = np.c_[position[runs[:, 0]], runs[:, 1:]]
            runs = runs[runs[:, 0] >= 0]
        return self._from_columns([column[index] for column in self._columns()], runs)

    def mended(self) -> FootprintSet:
        """Return the set with invalid polygons replaced by their repaired shapes."""
        return self if self.valid.all() else FootprintSet(self.shape)

    def extend(self, other: FootprintSet) -> FootprintSet:
        """Return this set followed by another."""
        runs = None
        if self.runs is not None and other.runs is not None:
            runs = np.concatenate([self.runs, other.runs + np.array([len(self), 0, 0, 0])])
        pairs = zip(self._columns(), other._columns(), strict=True)
        return self._from_columns([np.concatenate(pair) for pair in pairs], runs)

    def _columns(self) -> Any:
        return self.geometry, self.valid, self.shape, self.area, self.bounds

    @classmethod
    def _from_columns(cls, columns: Any, runs: Any) -> FootprintSet:
        self = cls.__new__(cls)
        self.geometry, self.valid, self.shape, self.area, self.bounds = columns
        self.runs = runs
        return self


def overlapping_pairs(
    first: FootprintSet, second: FootprintSet, min_iou: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the pairs of polygons that overlap, and their intersection over union.

    Memory is linear in the number of pairs whose bounding boxes meet. Pairs that cannot reach
    ``min_iou`` (judged by the overlap of the boxes) are left out before any geometry is cut.

    Args:
        first: N polygons.
        second: M polygons.
        min_iou: Pairs certainly below it may be left out; every other pair with positive overlap
            is returned, so callers still compare.

    Returns:
        Positions in ``first`` (P,), positions in ``second`` (P,), IoU (P,) = I / (A + B - I), in
        no particular order.
    """
    if first.runs is not None and second.runs is not None:
        i, j, intersection = common_pixels(first.runs, len(first), second.runs, len(second))
    else:
        i, j, intersection = _cut(first, second, min_iou)
    union = first.area[i] + second.area[j] - intersection
    # The shoelace area of a self-crossing ring can leave a union of exactly nothing.
    return i, j, np.divide(intersection, union, out=np.ones(len(i)), where=union != 0)


def _cut(first: FootprintSet, second: FootprintSet, min_iou: float) -> Any:
    """Pairs with positive overlap and its area, by geometry."""
    i, j = shapely.STRtree(second.shape).query(first.shape)
    # A repaired shape can cover more than its shoelace area; its box bounds nothing.
    bounded = first.valid[i] & second.valid[j]
    limit = np.where(bounded, _iou_limit(first, second, i, j), np.inf)
    # The margin keeps pairs whose bound equals the threshold up to rounding.
    keep = (limit > 0) & (limit >= min_iou - 1e-9)
    i, j = i[keep], j[keep]
    intersection = _intersection_areas(first.shape[i], second.shape[j])
    keep = intersection > 0
    return i[keep], j[keep], intersection[keep]


def _iou_limit(
    first: FootprintSet, second: FootprintSet, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """Upper bound of the IoU from areas and the overlap of the bounding boxes."""
    a, b = first.bounds[i], second.bounds[j]
    width = np.minimum(a[:, 2], b[:, 2]) - np.maximum(a[:, 0], b[:, 0])
    height = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    box = np.clip(width, 0, None) * np.clip(height, 0, None)
    areas = first.area[i], second.area[j]
    overlap = np.minimum(box, np.minimum(*areas))
    total = areas[0] + areas[1] - overlap
    return np.divide(overlap, total, out=np.zeros_like(overlap), where=total > 0)


def _intersection_areas(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Areas of the pairwise intersections; GEOS releases the GIL, so chunks run in threads."""
    result = np.zeros(len(a))
    same = shapely.equals_identical(a, b)
    result[same] = shapely.area(a[same])
    rest = np.flatnonzero(~same)

    def cut(begin: int) -> None:
        part = rest[begin : begin + _CHUNK]
        result[part] = shapely.area(shapely.intersection(a[part], b[part]))

    starts = range(0, len(rest), _CHUNK)
    if len(starts) < 2:
        for begin in starts:
            cut(begin)
    else:
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            list(pool.map(cut, starts))
    return result
