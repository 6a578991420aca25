"""From footprints to training targets: footprint, boundary and contact channels.

Widths and spacings say their unit in their name; pixel units unless a ``transform`` is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from rasterio.features import rasterize
from scipy import ndimage

from rsmm.errors import ConfigError, DataError
from rsmm.geo.polygons import polygonal, repair

Transform = Affine | Sequence[float] | None

#: What to do about dates that do not lie on each other.
ONE_GRID = 'Bring both dates to one grid, e.g. with gdalwarp'


def as_affine(transform: Transform) -> Affine:
    """Return an affine matrix from one, from its six numbers (a, b, c, d, e, f), or the identity.

    Raises:
        ConfigError: Not six numbers.
    """
    if transform is None:
        return Affine.identity()
    if len(transform) not in (6, 9):
        raise ConfigError(f'transform: expected six numbers, found {len(transform)}')
    return Affine(*transform[:6])


def check_same_place(
    paths: Sequence[str | Path],
    transforms: Sequence[Transform],
    shapes: Sequence[tuple[int, int]],
    limit: float = 0.5,
) -> None:
    """Refuse two images whose corners lie apart; an image without an affine lies anywhere.

    Args:
        paths: The two files.
        transforms: Their affines.
        shapes: Their (H, W).
        limit: Distance accepted, in pixels of the first.

    Raises:
        DataError: They lie further apart.
    """
    if transforms[0] is None or transforms[1] is None:
        return
    shape, other_shape = shapes
    matrix = ~as_affine(transforms[0]) * as_affine(transforms[1])
    pairs = [
        (
            matrix * (right * other_shape[1], down * other_shape[0]),
            (right * shape[1], down * shape[0]),
        )
        for right in (0, 1)
        for down in (0, 1)
    ]
    off = max(abs(a - b) for found, own in pairs for a, b in zip(found, own, strict=True))
    if off > limit:
        raise DataError(f'lies {off:.3g} pixels away from {paths[0]}', where=paths[1], fix=ONE_GRID)


def to_pixels(
    geometries: Sequence[shapely.Geometry] | np.ndarray, transform: Transform
) -> np.ndarray:
    """Turn map coordinates into pixel coordinates (x = column, y = row) by the inverse affine."""
    return move(geometries, ~as_affine(transform))


def to_map(geometries: Sequence[shapely.Geometry] | np.ndarray, transform: Transform) -> np.ndarray:
    """Turn pixel coordinates into map coordinates."""
    return move(geometries, as_affine(transform))


def move(geometries: Sequence[shapely.Geometry] | np.ndarray, matrix: Affine) -> np.ndarray:
    """Apply an affine matrix to every vertex; z is dropped."""
    array = np.empty(len(geometries), object)
    array[:] = geometries

    def apply(points: np.ndarray) -> np.ndarray:
        x, y = points.T
        return np.stack(
            [matrix.a * x + matrix.b * y + matrix.c, matrix.d * x + matrix.e * y + matrix.f], axis=1
        )

    return shapely.transform(array, apply)


def footprint_mask(
    polygons: Sequence[shapely.Geometry] | np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Set every pixel whose centre lies in a polygon.

    Args:
        polygons: Footprints in pixel coordinates; None and empty ones are skipped.
        shape: (H, W).

    Returns:
        (H, W) bool. Buildings smaller than a pixel can vanish.
    """
    return _burn(polygonal(polygons), shape)


def instance_labels(polygons: Sequence[shapely.Geometry], shape: tuple[int, int]) -> np.ndarray:
    """Burn polygon ``k`` as label ``k + 1``; later polygons cover earlier ones.

    Returns:
        (H, W) int32, 0 is background.
    """
    burnt = enumerate(polygonal(polygons), start=1)
    shapes = [(p, k) for k, p in burnt if not p.is_empty]
    if not shapes:
        return np.zeros(shape, np.int32)
    return rasterize(shapes, out_shape=shape, dtype='int32')


def boundary_mask(footprint: np.ndarray, width_px: int = 5, kind: str = 'inner') -> np.ndarray:
    """Mark the rim of a footprint mask.

    Args:
        footprint: (H, W) bool.
        width_px: Side of the square structuring element in pixels. 5 takes two pixels off each
            side, which turns most SpaceNet 7 buildings into boundary altogether.
        kind: ``'inner'``: footprint minus its erosion; ``'outer'``: its dilation minus footprint.

    Returns:
        (H, W) bool. The image border does not erode.

    Raises:
        ConfigError: Another kind, or an even width.
    """
    if width_px < 1 or width_px % 2 == 0:
        raise ConfigError(f'boundary width_px={width_px}: expected an odd number of pixels')
    square = np.ones((width_px, width_px), bool)
    if kind == 'inner':
        return footprint & ~ndimage.binary_erosion(footprint, square, border_value=1)
    if kind == 'outer':
        return ndimage.binary_dilation(footprint, square) & ~footprint
    raise ConfigError(f"boundary kind={kind!r}: expected 'inner' or 'outer'")


def contact_mask(
    polygons: Sequence[shapely.Geometry],
    shape: tuple[int, int],
    spacing_px: float,
    footprint: np.ndarray | None = None,
) -> np.ndarray:
    """Mark the gaps between neighbouring buildings.

    Every polygon is grown by half the spacing; where two grown polygons overlap and no footprint
    lies, there is contact.

    Args:
        polygons: Footprints in pixel coordinates.
        shape: (H, W).
        spacing_px: Largest gap between two buildings that counts, in pixels. The baseline's 10
            metres are 2.09 pixels of SpaceNet 7 (web-mercator metres).
        footprint: (H, W) bool; computed when absent.

    Returns:
        (H, W) bool.
    """
    given = polygonal(polygons)
    if footprint is None:
        footprint = footprint_mask(given, shape)
    solid = repair(given[~shapely.is_empty(given)])
    grown = shapely.buffer(solid, spacing_px / 2, quad_segs=16)
    first, second = shapely.STRtree(grown).query(grown, predicate='intersects')
    once = first < second
    overlaps = shapely.intersection(grown[first[once]], grown[second[once]])
    return _burn(overlaps[shapely.area(overlaps) > 0], shape) & ~footprint


def _burn(polygons: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    polygons = polygons[~shapely.is_empty(polygons)]
    if not len(polygons):
        return np.zeros(shape, bool)
    return rasterize(((p, 1) for p in polygons), out_shape=shape, dtype='uint8').astype(bool)
