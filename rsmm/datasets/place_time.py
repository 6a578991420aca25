"""Place and date of a sample: from table cells or from the raster itself, checked or None."""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Sequence
from typing import Any

from mmcv.transforms import BaseTransform

from rsmm.errors import DataError
from rsmm.registry import TRANSFORMS

_EMPTY = ('', 'nan', 'nat', 'none', 'null')


def is_empty(cell: object) -> bool:
    """Whether a table cell holds nothing: None, NaN, an empty text or a word for it."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    return str(cell).strip().lower() in _EMPTY


def parse_place(latitude: Any, longitude: Any) -> tuple[float | None, float | None]:
    """Read a place in degrees (WGS84), (None, None) where it is unknown.

    Raises:
        DataError: Not numbers, not on the globe, or one of the two alone.
    """
    if is_empty(latitude) and is_empty(longitude):
        return None, None
    if is_empty(latitude) or is_empty(longitude):
        raise DataError(
            f'latitude {latitude!r} and longitude {longitude!r} belong together',
            fix='Give both or leave both empty',
        )
    try:
        north, east = float(latitude), float(longitude)
    except (TypeError, ValueError):
        raise DataError(
            f'latitude {latitude!r}, longitude {longitude!r} are not numbers',
            fix='Degrees with a decimal point are expected, e.g. 48.21',
        ) from None
    if not (-90 <= north <= 90 and -180 <= east <= 180):
        raise DataError(
            f'latitude {north}, longitude {east} are not on the globe',
            fix='Degrees are expected; are the two columns swapped?',
        )
    return north, east


def parse_date(cell: object) -> int | None:
    """Read a date (``2017-06-13``, with or without a time) as day of the year 1..366.

    Raises:
        DataError: A text that is no date.
    """
    if is_empty(cell):
        return None
    if isinstance(cell, dt.date):
        return cell.timetuple().tm_yday
    try:
        return dt.datetime.fromisoformat(str(cell).strip()).timetuple().tm_yday
    except ValueError:
        raise DataError(f'{cell!r} is no date', fix='Write it as 2017-06-13') from None


@functools.lru_cache(maxsize=64)
def _to_degrees(crs: str):
    from pyproj import Transformer

    return Transformer.from_crs(crs, 'EPSG:4326', always_xy=True)


def to_place(crs: str, x: float, y: float) -> tuple[float, float]:
    """Latitude and longitude in degrees of a position in any CRS (WKT or an EPSG code)."""
    longitude, latitude = _to_degrees(crs).transform(x, y)
    return latitude, longitude


def raster_centre(
    crs: str | None, transform: Sequence[float] | None, shape: Sequence[int]
) -> tuple[float | None, float | None]:
    """Latitude and longitude of the centre of a raster, (None, None) without georeference.

    Args:
        crs: WKT of its reference system.
        transform: Six affine numbers.
        shape: Height and width in pixels.
    """
    if crs is None or transform is None:
        return None, None
    a, b, c, d, e, f = transform
    row, column = shape[0] / 2, shape[1] / 2
    return to_place(crs, a * column + b * row + c, d * column + e * row + f)


@TRANSFORMS.register_module()
class PlaceFromRaster(BaseTransform):
    """Fill in latitude and longitude of the image's centre where the dataset gave none.

    Stands right after the loader, before anything crops.

    Required Keys: crs, transform, img_shape (of ``LoadRaster``)

    Added Keys: latitude, longitude (degrees, or None for an image without georeference)
    """

    def transform(self, results: dict) -> dict:
        """Read the place from what the loader found in the file."""
        if results.get('latitude') is None:
            results['latitude'], results['longitude'] = raster_centre(
                results.get('crs'), results.get('transform'), results['img_shape']
            )
        return results

    def __repr__(self) -> str:
        return 'PlaceFromRaster()'
