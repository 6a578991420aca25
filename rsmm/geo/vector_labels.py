"""Labels drawn as polygons, burnt to the grid of their image."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from rasterio.features import rasterize

from rsmm.errors import DataError, did_you_mean
from rsmm.geo.io import read_vector
from rsmm.geo.label_raster import LabelRaster
from rsmm.geo.polygons import polygonal
from rsmm.geo.raster import raster_shape, shifted
from rsmm.geo.rasterize import to_pixels
from rsmm.geo.vector_files import check_on_image
from rsmm.utils.listing import GEOJSON, has_suffix

#: Suffixes of vector labels.
VECTORS = (*GEOJSON, '.gpkg')
#: Label of pixels that do not count.
IGNORE = 255
#: Stored in the label where a polygon lies that has no class.
_WHOLE = 1


def is_vector(path: str | Path) -> bool:
    """Whether a label is a vector file, by its suffix."""
    return has_suffix(path, VECTORS)


def burn_labels(
    path: str | Path,
    image: Mapping,
    shape: Sequence[int],
    field: str | None = None,
    classes: Sequence[str] = (),
    outside: int = 0,
    offset: int = 0,
    shared: bool = False,
) -> LabelRaster:
    """Burn polygons to the grid of an image, or of a window of it; later ones cover earlier ones.

    A pixel belongs to the polygon that its centre lies in. Coordinates are brought from the system
    of the file into that of the image.

    Args:
        path: GeoJSON or GeoPackage.
        image: ``img_path``, ``crs``, ``transform`` of what was read, and its ``window``.
        shape: (H, W) of what was read.
        field: Attribute with the class: its name, or its stored number. None burns 1.
        classes: Class names, for names in ``field``.
        outside: Stored value where no polygon lies; 255 where that does not count.
        offset: Stored value of the first class, for names in ``field``.
        shared: The file is that of several images, so that one of them may have no polygon; it
            must still lie within the extent of them all.

    Returns:
        The label as a raster file of the same grid would hold it.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: The image has no place, no polygon lies on it, or a polygon has no known class.
    """
    transform, crs = image.get('transform'), image.get('crs')
    if transform is None or crs is None:
        raise DataError(
            f'the image {image.get("img_path", "")} has no coordinate system, so polygons cannot '
            'be placed on it',
            where=path,
            fix='Use a georeferenced image, or labels as a raster',
        )
    row, column = (image.get('window') or (0, 0))[:2]
    height, width = shape[:2]
    whole = raster_shape(image['img_path']) if image.get('window') else (height, width)
    origin = shifted(transform, -row, -column)
    polygons, stored = _on_image(
        str(path), crs, origin, whole, field, tuple(classes), offset, shared
    )
    values = np.full((height, width), outside, np.uint8)
    window = shapely.box(column, row, column + width, row + height)
    near = shapely.intersects(polygons, window) if len(polygons) else np.zeros(0, bool)
    if near.any():
        moved = shapely.transform(polygons[near], lambda points: points - (column, row))
        rasterize(zip(moved, stored[near].tolist(), strict=True), out=values)
    return LabelRaster(values, np.zeros(values.shape, bool), None, crs, tuple(transform))


@functools.lru_cache(maxsize=64)
def _on_image(
    path: str,
    crs: str,
    transform: tuple | None,
    shape: tuple[int, int],
    field: str | None,
    classes: tuple[str, ...],
    offset: int,
    shared: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Polygons in pixels of the whole image, checked against it, and their stored values."""
    geometries, columns, _ = read_vector(path, crs)
    polygons = polygonal(to_pixels(geometries, transform))
    extent = shapely.box(*shapely.total_bounds(polygons)) if shared and len(polygons) else None
    check_on_image(polygons if extent is None else [extent], shape, path, transform)
    return polygons, _stored(columns, len(polygons), field, classes, offset, path)


def _stored(
    columns: Mapping,
    count: int,
    field: str | None,
    classes: Sequence[str],
    offset: int,
    path: str,
) -> np.ndarray:
    if field is None or not count:
        return np.full(count, _WHOLE + offset, np.uint8)
    if field not in columns:
        raise DataError(
            f'has no attribute {field!r}.{did_you_mean(field, columns)}',
            where=path,
            fix=f'It has: {", ".join(columns)}',
        )
    numbers = {str(name).strip().lower(): offset + k for k, name in enumerate(classes)}
    return np.array([_value(v, numbers, classes, field, path) for v in columns[field]], np.uint8)


def _value(
    value: object, numbers: Mapping[str, int], classes: Sequence[str], field: str, path: str
) -> int:
    """Stored number of one polygon's class."""
    text = str(value).strip().lower()
    if text in numbers:
        return numbers[text]
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if number % 1 == 0 and 0 <= number <= IGNORE:
        return int(number)
    raise DataError(
        f'{field} {value!r} is no class.{did_you_mean(str(value), classes)}',
        where=path,
        fix=f'Classes: {", ".join(classes)}; or their numbers',
    )
