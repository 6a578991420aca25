"""Polygons of a map: whole across tiles, with class, probability and hectares."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import shapely

from rsmm.datasets.transforms.gaps import IGNORE
from rsmm.errors import ConfigError
from rsmm.geo.ground import hectares, on_map, pixel_metres
from rsmm.geo.io import write_vector
from rsmm.inference.tasks import Task

#: Rows whose probabilities are in memory at a time.
BAND = 512
#: Tolerance of simplification in pixels unless another is given.
SIMPLIFY = 1.5


def write_polygons(
    path: Path,
    labels: Path,
    confidence: Path,
    task: Task,
    place: Mapping,
    *,
    full: int,
    min_area: float = 0.0,
    simplify: float = SIMPLIFY,
) -> int:
    """Outline the classes of a map, or what changed or was built.

    The map is outlined as a whole, along its pixels (4-connected), and memory follows its area: a
    byte per pixel and what the outlines need.

    Args:
        path: ``.gpkg`` or ``.geojson``; columns ``class``, ``value``, ``probability`` (mean of the
            class's over the polygon), ``area_ha`` (on the ellipsoid, after simplification; absent
            without a place), ``pixels``.
        labels, confidence: Rasters of the map and of the probability of what it shows, whole
            numbers up to ``full``.
        task: Says which values become polygons.
        place: ``crs``, ``transform``, ``gcps``, ``rpcs``.
        full: Number that stands for probability 1.
        min_area: Patches and holes of fewer square metres (pixels, without a place) go to the
            neighbour that surrounds them most.
        simplify: Tolerance in pixels, 0 for none; neighbours keep their common edge.

    Returns:
        Number of polygons.

    Raises:
        ConfigError: A negative setting.
    """
    if min_area < 0 or simplify < 0:
        raise ConfigError(f'min_area={min_area}, simplify={simplify}: expected 0 or more')
    import rasterio

    with rasterio.open(labels) as source:
        values = source.read(1)
    values = sieve(values, min_area, place)
    outlines, kinds = outline(values, task.wanted)
    pixels = shapely.area(outlines).astype(np.int64)
    means = mean_values(outlines, pixels, confidence, values.shape) / full
    outlines = simplified(outlines, simplify)
    columns = {
        'class': [task.classes[kind] for kind in kinds],
        'value': kinds,
        'probability': np.round(means, 4),
        'pixels': pixels,
    }
    sizes = hectares(outlines, place)
    if np.isfinite(sizes).all():
        columns['area_ha'] = np.round(sizes, 4)
    placed, crs = on_map(outlines, place)
    write_vector(path, placed, columns, crs=crs)
    return len(outlines)


def sieve(values: np.ndarray, min_area: float, place: Mapping) -> np.ndarray:
    """Give patches of fewer square metres to the largest neighbour, (H, W) uint8.

    Places without data take no part: they neither grow nor shrink.
    """
    from rasterio import features

    side = pixel_metres(values.shape, place) or 1.0
    least = math.ceil(min_area / side**2 - 1e-6)
    if least <= 1:
        return values
    return features.sieve(values, least, mask=values != IGNORE, connectivity=4)


def outline(values: np.ndarray, wanted: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return polygons (N,) in pixels and the value (N,) of each."""
    from rasterio import features

    found = features.shapes(values, mask=np.isin(values, wanted), connectivity=4)
    texts, kinds = [], []
    for geometry, value in found:
        texts.append(json.dumps(geometry))
        kinds.append(int(value))
    return shapely.from_geojson(np.array(texts, object)), np.array(kinds, np.int64)


def simplified(outlines: np.ndarray, tolerance: float) -> np.ndarray:
    """Smooth outlines along pixel edges so that neighbours keep their common edge.

    Args:
        outlines: (N,) polygons in pixels that do not overlap.
        tolerance: Corners whose triangle has a smaller area than its square go; with 0 none does,
            but where three neighbours meet each of them gets a vertex.

    Returns:
        (N,) polygons, a valid coverage.
    """
    if not len(outlines):
        return outlines
    # An outline has no vertex where others meet on its straight edge: give it one at each pixel.
    cut = shapely.transform(shapely.segmentize(outlines, 1.0), np.rint)
    return shapely.coverage_simplify(cut, max(tolerance, 1e-3))


def mean_values(
    outlines: np.ndarray, pixels: np.ndarray, raster: Path, shape: tuple[int, int]
) -> np.ndarray:
    """Return the mean of a raster over polygons along pixel edges, (N,) float64."""
    import rasterio
    from affine import Affine
    from rasterio import features

    totals = np.zeros(len(outlines) + 1)
    if not len(outlines):
        return totals[:0]
    tree = shapely.STRtree(outlines)
    with rasterio.open(raster) as source:
        for row in range(0, shape[0], BAND):
            height = min(BAND, shape[0] - row)
            touched = tree.query(shapely.box(0, row, shape[1], row + height))
            if not len(touched):
                continue
            numbers = features.rasterize(
                [(outlines[k], int(k) + 1) for k in touched],
                (height, shape[1]),
                transform=Affine.translation(0, row),
                dtype=np.int32,
            )
            values = source.read(1, window=((row, row + height), (0, shape[1])))
            totals += np.bincount(numbers.ravel(), values.ravel(), minlength=len(totals))
    return totals[1:] / pixels
