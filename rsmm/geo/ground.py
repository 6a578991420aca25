"""Sizes on the ground: hectares of polygons and pixels, metres of a pixel, whatever the place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely

from rsmm.geo.place import WGS84, to_map_by_points
from rsmm.geo.rasterize import to_map

#: Edges are cut to at most this many pixels before they are bent into geodesics.
EDGE = 64.0
#: Cells of a raster, along each axis, whose size on the ground is measured.
CELLS = 32


def has_place(place: Mapping) -> bool:
    """Whether a raster lies anywhere: ``crs`` with ``transform`` or ``gcps``, or ``rpcs``."""
    placed = place.get('transform') is not None or bool(place.get('gcps'))
    return (place.get('crs') is not None and placed) or place.get('rpcs') is not None


def on_map(
    geometries: Sequence[shapely.Geometry] | np.ndarray, place: Mapping
) -> tuple[np.ndarray, str | None]:
    """Turn geometries in pixels into map coordinates; without a place they stay as they are.

    Args:
        geometries: x = column, y = row.
        place: ``crs``, ``transform``, ``gcps`` and ``rpcs`` of the raster.

    Returns:
        Geometries (N,) and their coordinate system.
    """
    if place.get('gcps') or place.get('rpcs'):
        points = place.get('gcps') or (), place.get('rpcs')
        return to_map_by_points(geometries, place.get('crs'), *points)
    return to_map(geometries, place.get('transform')), place.get('crs')


def hectares(geometries: Sequence[shapely.Geometry] | np.ndarray, place: Mapping) -> np.ndarray:
    """Measure polygons on the ellipsoid of WGS 84.

    Args:
        geometries: Polygons in pixels.
        place: Of the raster, see :func:`on_map`.

    Returns:
        (N,) float64 in hectares, holes left out; NaN without a place.
    """
    from pyproj import Geod, Transformer

    if not has_place(place) or not len(geometries):
        return np.full(len(geometries), np.nan)
    cut = shapely.segmentize(np.asarray(geometries, object), EDGE)
    placed, crs = on_map(cut, place)
    move = Transformer.from_crs(crs, WGS84, always_xy=True)
    lonlat = shapely.transform(placed, lambda xy: np.stack(move.transform(*xy.T), axis=1))
    geod = Geod(ellps='WGS84')
    areas = [_area(geod, one) for one in lonlat]
    return np.array(areas) / 1e4


def _area(geod: Any, geometry: shapely.Geometry) -> float:
    """Square metres; the sense of the rings does not matter."""
    total = 0.0
    for polygon in shapely.get_parts(geometry):
        rings = [polygon.exterior, *polygon.interiors]
        sizes = [abs(geod.polygon_area_perimeter(*ring.coords.xy)[0]) for ring in rings]
        total += sizes[0] - sum(sizes[1:])
    return total


def pixel_hectares(
    shape: tuple[int, int], place: Mapping
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Measure the pixels of a raster in cells of equal size.

    Args:
        shape: (H, W).
        place: See :func:`on_map`.

    Returns:
        The cell of each row and column as edges in pixels, a pair ``(rows (R + 1,), columns
        (C + 1,))`` of int64 arrays, and hectares of one pixel in each cell (R, C), NaN without
        a place.
    """
    edges = tuple(
        np.unique(np.linspace(0, side, min(side, CELLS) + 1).round().astype(np.int64))
        for side in shape
    )
    rows, columns = edges
    top, left = np.meshgrid(rows[:-1], columns[:-1], indexing='ij')
    bottom, right = np.meshgrid(rows[1:], columns[1:], indexing='ij')
    boxes = shapely.box(left.ravel(), top.ravel(), right.ravel(), bottom.ravel())
    pixels = ((bottom - top) * (right - left)).ravel()
    return edges, (hectares(boxes, place) / pixels).reshape(top.shape)


def pixel_metres(shape: tuple[int, int], place: Mapping) -> float | None:
    """Return the side in metres of a square as large as the pixel in the middle of a raster."""
    if not has_place(place):
        return None
    row, column = shape[0] // 2, shape[1] // 2
    size = float(hectares([shapely.box(column, row, column + 1, row + 1)], place)[0])
    return math.sqrt(size * 1e4) if math.isfinite(size) and size > 0 else None
