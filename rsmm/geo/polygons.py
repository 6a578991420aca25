"""From masks to polygons that follow the pixel edges.

Coordinates are pixels: x is the column, y the row, the origin is the outer corner of the first
pixel. An affine ``transform`` turns them into map units.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from scipy import ndimage

from rsmm.errors import DataError

# Directed unit edges of a pixel (row, column) with the pixel on their left in image axes: offsets
# of the start vertex, direction of travel, and the neighbour across the edge.
_EDGES = {
    'down': ((0, 0), 0, (0, -1)),
    'right': ((1, 0), 1, (1, 0)),
    'up': ((1, 1), 2, (0, 1)),
    'left': ((0, 1), 3, (-1, 0)),
}
_POLYGON, _MULTIPOLYGON = 3, 6  # shapely's type numbers
_STEP = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])  # row and column step of each direction


def label_components(foreground: np.ndarray, connectivity: int = 4) -> tuple[np.ndarray, int]:
    """Number the connected components of a mask from 1 in the order of their first pixel.

    Args:
        foreground: (H, W) bool.
        connectivity: 4 (edges) or 8 (edges and corners).

    Returns:
        (H, W) int32 labels, 0 for the background, and the number of components.

    Raises:
        DataError: The mask is not two-dimensional or the connectivity is unknown.
    """
    foreground = np.asarray(foreground)
    if foreground.ndim != 2:
        raise DataError(f'expected a mask of shape (H, W), found {foreground.shape}')
    if connectivity not in (4, 8):
        raise DataError(f'expected connectivity 4 or 8, found {connectivity!r}')
    structure = np.ones((3, 3)) if connectivity == 8 else None
    return ndimage.label(foreground, structure=structure, output=np.int32)


def labels_to_polygons(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outline the equal-label regions of a label raster exactly along the pixel edges.

    All rings of the raster are traced at once: edges are linked to their successors and ordered
    by pointer doubling, so the time does not depend on the number of regions.

    Args:
        labels: (H, W) integers, 0 is background. A label may occupy several 4-connected parts.

    Returns:
        The labels (P,) in ascending order, one entry per 4-connected part, and the parts as valid
        polygons with holes, (P,) objects. Vertices are integers.
    """
    labels = np.asarray(labels)
    start, direction, part, part_labels = _boundary_edges(labels)
    if not len(start):
        return np.zeros(0, labels.dtype), np.zeros(0, object)
    ring, order = _order_rings(
        _link_edges(start, direction, part, (labels.shape[0], labels.shape[1]))
    )
    start, direction, part, ring = start[order], direction[order], part[order], ring[order]

    # Only corners become vertices.
    first = np.r_[True, ring[1:] != ring[:-1]]
    last = np.flatnonzero(np.r_[first[1:], True])
    previous = np.r_[0, direction[:-1]]
    previous[first] = direction[last]
    corner = direction != previous
    width = labels.shape[1] + 1
    y, x = np.divmod(start[corner], width)
    rings = shapely.linearrings(np.c_[x, y].astype(float), indices=_renumber(ring[corner]))

    ring_part = part[first]
    signed = _signed_areas(x, y, _renumber(ring[corner]))
    # The outer ring and the holes of a part run in opposite senses; outer ring first.
    hole = signed < 0
    by_part = np.lexsort((hole, ring_part))
    polygons = shapely.polygons(rings[by_part], indices=ring_part[by_part])
    return part_labels, polygons


def _boundary_edges(labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Directed unit edges around every 4-connected part, and the label of each part."""
    # Parts are numbered so that edges of regions meeting at a corner are told apart.
    parts, _ = _label_parts(labels)
    padded = np.pad(parts, 1)
    inside = padded[1:-1, 1:-1]
    starts, directions, owners = [], [], []
    width = labels.shape[1] + 1
    for (row_offset, column_offset), direction, (dr, dc) in _EDGES.values():
        neighbour = padded[1 + dr : padded.shape[0] - 1 + dr, 1 + dc : padded.shape[1] - 1 + dc]
        rows, columns = np.nonzero((inside > 0) & (inside != neighbour))
        starts.append((rows + row_offset) * width + columns + column_offset)
        directions.append(np.full(len(rows), direction))
        owners.append(inside[rows, columns])
    part = np.concatenate(owners)
    used, part = np.unique(part, return_inverse=True)
    flat = parts.ravel()
    occupied = np.flatnonzero(flat)
    part_labels = np.zeros(len(used), labels.dtype)
    part_labels[flat[occupied] - 1] = labels.ravel()[occupied]
    order = np.argsort(part_labels, kind='stable')
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return np.concatenate(starts), np.concatenate(directions), rank[part], part_labels[order]


def _label_parts(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the 4-connected parts of equal label from 1 in raster order."""
    # On a doubled grid touching regions are kept apart by the edge pixels between them.
    same_right = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != 0)
    same_below = (labels[1:] == labels[:-1]) & (labels[1:] != 0)
    foreground = labels != 0
    touching = (foreground[:, 1:] & foreground[:, :-1] & ~same_right).any() or (
        foreground[1:] & foreground[:-1] & ~same_below
    ).any()
    if not touching:
        return ndimage.label(foreground, output=np.int32)
    doubled = np.zeros((2 * labels.shape[0] - 1, 2 * labels.shape[1] - 1), bool)
    doubled[::2, ::2] = foreground
    doubled[::2, 1::2] = same_right
    doubled[1::2, ::2] = same_below
    parts, count = ndimage.label(doubled, output=np.int32)
    return parts[::2, ::2], count


def _link_edges(
    start: np.ndarray, direction: np.ndarray, part: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Index of the edge that follows each edge around its part."""
    width = shape[1] + 1
    end = start + _STEP[direction] @ np.array([width, 1])
    vertices = (shape[0] + 1) * width
    key = part.astype(np.int64) * vertices + start
    order = np.argsort(key, kind='stable')
    left = np.searchsorted(key[order], part.astype(np.int64) * vertices + end, side='left')
    successor = order[left]
    # Where a part touches itself at a corner two edges leave the vertex. Turning away from the
    # part keeps each ring simple: the background pixel stays on the same side.
    second = np.minimum(left + 1, len(order) - 1)
    ambiguous = (second != left) & (key[order[second]] == key[order[left]])
    turn = (direction[order[second]] - direction) % 4
    return np.where(ambiguous & (turn == 3), order[second], successor)


def _order_rings(successor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ring of every edge (its smallest edge index) and the edges sorted along the rings."""
    count = len(successor)
    ring, jump, length = np.arange(count), successor.copy(), 1
    while True:
        smaller = np.minimum(ring, ring[jump])
        done = length > 1 and np.array_equal(smaller, ring)
        ring, jump, length = smaller, jump[jump], length * 2
        if done:
            break
    # List ranking: steps until the ring's first edge comes again.
    link = np.where(ring[successor] == successor, np.arange(count), successor)
    remaining = (link != np.arange(count)).astype(np.int64)
    while not np.array_equal(link[link], link):
        remaining, link = remaining + remaining[link], link[link]
    return ring, np.lexsort((-remaining, ring))


def _renumber(ring: np.ndarray) -> np.ndarray:
    return np.cumsum(np.r_[0, ring[1:] != ring[:-1]])


def _signed_areas(x: np.ndarray, y: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Shoelace area per ring; positive for the sense of outer rings."""
    starts = np.flatnonzero(np.r_[True, ring[1:] != ring[:-1]])
    following = np.arange(1, len(x) + 1)
    following[np.r_[starts[1:] - 1, len(x) - 1]] = starts
    cross = y * x[following] - x * y[following]
    return np.add.reduceat(cross, starts) / 2


def mask_to_polygons(
    logits: np.ndarray,
    threshold: float = 0.0,
    min_area: float = 3.5,
    connectivity: int = 4,
    simplify: float | None = None,
) -> list[shapely.Polygon]:
    """Turn a map of logits into one polygon per connected foreground component.

    Follows the SpaceNet 7 baseline: a pixel is foreground iff its value exceeds the threshold, the
    outline runs along pixel edges, holes are kept, small components are dropped by their net area.

    Args:
        logits: (H, W) numbers; NaN and masked pixels are background.
        threshold: Values above it are foreground. 0 on logits means probability 0.5.
        min_area: Smallest area kept, in square pixels (>=).
        connectivity: 4 separates components that meet only at a corner; with 8 such a component
            comes back as a MultiPolygon because no valid polygon can describe it.
        simplify: Tolerance of Douglas and Peucker's simplification in pixels, None for exact.

    Returns:
        Polygons in pixel coordinates, ordered by their first pixel in raster order.

    Raises:
        DataError: The array is not two-dimensional.
    """
    foreground = np.ma.filled(np.ma.asanyarray(logits) > threshold, False)
    labels, _ = label_components(foreground, connectivity)
    return list(regions_to_polygons(labels, min_area=min_area, simplify=simplify).values())


def regions_to_polygons(
    labels: np.ndarray, min_area: float = 0.0, simplify: float | None = None
) -> dict[int, shapely.Polygon]:
    """Outline every label of a raster.

    Args:
        labels: (H, W) integers, 0 is background.
        min_area: Smallest area kept, in square pixels (>=), measured before simplification.
        simplify: Tolerance in pixels, None for exact.

    Returns:
        Label to Polygon (MultiPolygon when the label has several parts), ascending.

    Raises:
        DataError: The labels are not integers from 0.
    """
    check_labels(labels)
    small = np.bincount(labels.ravel()) < min_area
    if small.any():
        labels = np.where(small[labels], 0, labels)
    names, parts = labels_to_polygons(labels)
    if simplify is not None:
        parts = shapely.simplify(parts, simplify, preserve_topology=True)
    unique, first, counts = np.unique(names, return_index=True, return_counts=True)
    result: dict[int, shapely.Polygon] = {}
    for name, begin, count in zip(unique.tolist(), first, counts, strict=True):
        group = parts[begin : begin + count]
        result[name] = group[0] if count == 1 else shapely.multipolygons(group)
    return result


def check_labels(labels: np.ndarray) -> None:
    """Refuse a raster that holds no labels: floats or numbers below 0."""
    if not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
        raise DataError(f'expected labels that are integers from 0, found {labels.dtype}')


def polygonal(
    geometries: Sequence[shapely.Geometry] | np.ndarray, where: str | None = None
) -> np.ndarray:
    """Return flat polygons: z is dropped, None and every empty geometry become an empty polygon.

    Raises:
        DataError: A non-empty geometry of another type (point, line, collection), or a coordinate
            that is no finite number.
    """
    array = np.empty(len(geometries), object)
    array[:] = geometries
    array[shapely.is_missing(array) | shapely.is_empty(array)] = shapely.Polygon()
    kinds = shapely.get_type_id(array)
    wrong = np.flatnonzero((kinds != _POLYGON) & (kinds != _MULTIPOLYGON))
    if len(wrong):
        raise DataError(
            f'geometry {wrong[0]} is a {array[wrong[0]].geom_type}; expected a Polygon or '
            'MultiPolygon',
            where=where,
            fix='Keep only the areas of the geometry',
        )
    points, owner = shapely.get_coordinates(array, return_index=True)
    infinite = owner[~np.isfinite(points).all(axis=1)]
    if len(infinite):
        raise DataError(f'geometry {infinite[0]} has a coordinate that is no number', where=where)
    return shapely.force_2d(array) if shapely.has_z(array).any() else array


def repair(geometries: Sequence[shapely.Geometry] | np.ndarray) -> np.ndarray:
    """Mend invalid polygons by a buffer of width zero; valid ones are returned untouched."""
    array = np.asarray(geometries, dtype=object)
    invalid = ~shapely.is_valid(array)
    if invalid.any():
        array = array.copy()
        array[invalid] = shapely.buffer(array[invalid], 0)
    return array
