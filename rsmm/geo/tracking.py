"""Identities of building footprints through a stack of months.

The rule is the SpaceNet 7 baseline's: larger footprints choose first among all buildings ever
seen, each building is taken once per month, a footprint without a partner founds a new building.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from scipy import sparse

from rsmm.errors import ConfigError, DataError
from rsmm.geo.overlap import FootprintSet, overlapping_pairs
from rsmm.geo.polygons import check_labels, label_components

#: Identity of a footprint that look-ahead refused: not a building.
UNCONFIRMED = -1
MASTERS = ('first', 'latest', 'median')


def track_footprints(
    frames: Sequence[Sequence[shapely.Geometry]],
    min_iou: float = 0.2,
    reverse_order: bool = False,
    *,
    master: str = 'first',
    look_ahead: int = 0,
    look_ahead_iou: float = 0.25,
) -> list[list[tuple[int, float]]]:
    """Give every footprint of every month the identity of a building.

    With the defaults this is the baseline tracker: greedy by area, ids never expire, the shape a
    building is compared with is the one first seen.

    Args:
        frames: Polygons of each month, months in order. A month may be empty.
        min_iou: Smallest IoU with the building's shape that keeps the identity (>=); with 0 any
            overlap does.
        reverse_order: Walk from the last month to the first.
        master: Shape a building is compared with: the one seen first, the latest one, or the one
            of median area among those seen.
        look_ahead: When positive, a new building must be met again (IoU >= ``look_ahead_iou``)
            in one of so many following months; otherwise the footprint gets id -1. The last
            month walked cannot be confirmed and is believed.
        look_ahead_iou: Threshold of that confirmation.

    Returns:
        Per month, in the order of its polygons, ``(id, iou)``. Ids are 0, 1, ... in order of
        discovery and within a month of descending area (ties in input order); iou is 0 for new
        buildings.

    Raises:
        ConfigError: An unknown ``master`` or a threshold outside [0, 1].
        DataError: A geometry that is not a polygon.
    """
    if master not in MASTERS:
        raise ConfigError(f'master={master!r}: expected one of {", ".join(MASTERS)}')
    _check_min_iou(min_iou)
    months = list(range(len(frames)))[:: -1 if reverse_order else 1]
    sets = [FootprintSet(frame, where=f'month {t}') for t, frame in enumerate(frames)]
    buildings = _Buildings(master)
    result: list[list[tuple[int, float]]] = [[] for _ in frames]
    for position, month in enumerate(months):
        footprints = sets[month]
        ids, scores = _assign(footprints, buildings.shapes, min_iou)
        fresh = ids < 0
        if look_ahead and position + 1 < len(months):
            following = [sets[later] for later in months[position + 1 : position + 1 + look_ahead]]
            fresh &= _met_again(footprints, following, look_ahead_iou)
        _number(ids, fresh, footprints.area, start=len(buildings.shapes))
        buildings.see(footprints, ids)
        result[month] = list(zip(ids.tolist(), scores.tolist(), strict=True))
    return result


def _check_min_iou(min_iou: float) -> None:
    if not 0 <= min_iou <= 1:
        raise ConfigError(f'min_iou={min_iou}: expected a number from 0 to 1')


class _Buildings:
    """The shape that stands for each building; ids are positions."""

    def __init__(self, master: str) -> None:
        self.master = master
        self.shapes = FootprintSet([])
        self._history: list[list[tuple[float, int, shapely.Geometry]]] = []

    def see(self, footprints: FootprintSet, ids: np.ndarray) -> None:
        """Take in the footprints of one month under their ids."""
        known = len(self.shapes)
        fresh = np.flatnonzero(ids >= known)
        fresh = fresh[np.argsort(ids[fresh])]
        seen = np.flatnonzero((ids >= 0) & (ids < known))
        if self.master != 'first':
            self._update(footprints, ids, seen, fresh)
        self.shapes = self.shapes.extend(footprints.take(fresh))

    def _update(
        self, footprints: FootprintSet, ids: np.ndarray, seen: np.ndarray, fresh: np.ndarray
    ) -> None:
        chosen = footprints.geometry[seen]
        if self.master == 'median':
            for k in [*seen, *fresh]:
                if ids[k] == len(self._history):
                    self._history.append([])
                track = self._history[ids[k]]
                track.append((footprints.area[k], len(track), footprints.geometry[k]))
                track.sort(key=lambda entry: entry[:2])
            tracks = [self._history[ids[k]] for k in seen]
            chosen = [track[(len(track) - 1) // 2][2] for track in tracks]
        shapes = self.shapes.geometry.copy()
        shapes[ids[seen]] = chosen
        self.shapes = FootprintSet(shapes)


def _assign(
    footprints: FootprintSet, buildings: FootprintSet, min_iou: float
) -> tuple[np.ndarray, np.ndarray]:
    """Greedy matching of a month against the buildings; -1 where none is left over."""
    shape, building, iou = overlapping_pairs(footprints.mended(), buildings, min_iou)
    # An invalid shape among the buildings is never met again.
    good = buildings.valid[building]
    return _assign_pairs(shape[good], building[good], iou[good], footprints.area, min_iou)


def _assign_pairs(
    shape: np.ndarray, building: np.ndarray, iou: np.ndarray, area: np.ndarray, min_iou: float
) -> tuple[np.ndarray, np.ndarray]:
    count = len(area)
    ids, scores = np.full(count, -1, np.int64), np.zeros(count)
    keep = iou >= min_iou
    shape, building, iou = shape[keep], building[keep], iou[keep]
    rank = np.empty(count, np.int64)
    rank[_by_area(area)] = np.arange(count)
    order = np.lexsort((building, -iou, rank[shape]))
    taken: set[int] = set()
    served: set[int] = set()
    pairs = zip(shape[order].tolist(), building[order].tolist(), iou[order].tolist(), strict=True)
    for k, b, score in pairs:
        if k not in served and b not in taken:
            ids[k], scores[k] = b, score
            served.add(k)
            taken.add(b)
    return ids, scores


def _by_area(area: np.ndarray) -> np.ndarray:
    """Descending area; the stable sort makes ids independent of the platform."""
    return np.argsort(-np.asarray(area, float), kind='stable')


def _number(ids: np.ndarray, fresh: np.ndarray, area: np.ndarray, start: int) -> None:
    """Give the new buildings of a month the next ids, larger ones first."""
    order = _by_area(area)
    order = order[fresh[order]]
    ids[order] = np.arange(start, start + len(order))


def _met_again(
    footprints: FootprintSet, following: Sequence[FootprintSet], min_iou: float
) -> np.ndarray:
    """Which footprints overlap one of a following month's well enough."""
    found = np.zeros(len(footprints), bool)
    footprints = footprints.mended()
    for later in following:
        shape, _, iou = overlapping_pairs(footprints, later.mended(), min_iou)
        found[shape[iou >= min_iou]] = True
    return found


def track_masks(
    masks: Sequence[np.ndarray],
    min_iou: float = 0.2,
    reverse_order: bool = False,
    min_area: float = 3.5,
) -> list[list[tuple[int, float]]]:
    """Track the 4-connected components of masks by their pixels, see :func:`track_labels`.

    Args:
        masks: (H, W) numbers per month, foreground where positive (logits, or 0/255).
        min_iou, reverse_order, min_area: As there.

    Returns:
        Per month ``(id, iou)`` for its components in raster order of their first pixel, as
        ``track_footprints([mask_to_polygons(mask, ...) for mask in masks])`` gives.
    """
    labels = [label_components(np.asarray(mask) > 0)[0] for mask in masks]
    return track_labels(labels, min_iou, reverse_order, min_area)


def track_labels(
    labels: Sequence[np.ndarray],
    min_iou: float = 0.2,
    reverse_order: bool = False,
    min_area: float = 0.0,
) -> list[list[tuple[int, float]]]:
    """Track the instances of label rasters by their pixels, without any geometry.

    Exact: for outlines along pixel edges the overlap is a number of pixels, so the result equals
    ``track_footprints`` of the polygons of :func:`rsmm.geo.regions_to_polygons`, only faster.

    Args:
        labels: (H, W) integers per month, 0 is background.
        min_iou: Smallest IoU that keeps the identity (>=).
        reverse_order: Walk from the last month to the first.
        min_area: Smallest instance kept, in pixels (>=).

    Returns:
        Per month ``(id, iou)`` for its instances in ascending order of their labels.

    Raises:
        ConfigError: A threshold outside [0, 1].
        DataError: Months of different size, or labels that are not integers from 0.
    """
    _check_min_iou(min_iou)
    if len({np.shape(raster) for raster in labels}) > 1:
        sizes = ', '.join(sorted({str(np.shape(raster)) for raster in labels}))
        raise DataError(f'expected months of one size, found {sizes}')
    months = list(range(len(labels)))[:: -1 if reverse_order else 1]
    result: list[list[tuple[int, float]]] = [[] for _ in labels]
    buildings: sparse.csr_matrix | None = None
    for month in months:
        pixels = _instance_pixels(np.asarray(labels[month]), min_area)
        area = _row_sums(pixels)
        if buildings is None:
            buildings = pixels[:0]
        overlap = (pixels @ buildings.T).tocoo()
        iou = overlap.data / (area[overlap.row] + _row_sums(buildings)[overlap.col] - overlap.data)
        ids, scores = _assign_pairs(overlap.row, overlap.col, iou, area, min_iou)
        known = buildings.shape[0]
        _number(ids, ids < 0, area, start=known)
        fresh = np.flatnonzero(ids >= known)
        fresh = fresh[np.argsort(ids[fresh])]
        buildings = sparse.vstack([buildings, pixels[fresh]], format='csr')
        result[month] = list(zip(ids.tolist(), scores.tolist(), strict=True))
    return result


def _instance_pixels(labels: np.ndarray, min_area: float) -> sparse.csr_matrix:
    """Membership matrix (instances, pixels) of a label raster."""
    check_labels(labels)
    flat = labels.ravel()
    sizes = np.bincount(flat)
    sizes[:1] = 0
    big = np.flatnonzero(sizes >= max(min_area, 1))
    occupied = np.flatnonzero(flat)
    matrix = sparse.csr_matrix(
        (np.ones(len(occupied)), (flat[occupied], occupied)), shape=(len(sizes), flat.size)
    )
    return matrix[big]


def _row_sums(matrix: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(matrix.sum(axis=1)).ravel()
