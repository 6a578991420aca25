"""Web-mercator tiles: from longitude and latitude to tile numbers and back.

The XYZ scheme of web maps: zoom ``z`` cuts the world between 85.05 degrees north and south into
``2^z x 2^z`` square tiles, x eastwards from 180 degrees west, y southwards.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from rsmm.errors import DataError

#: Latitude at which the square world of web maps ends, in degrees.
MAX_LATITUDE = math.degrees(math.atan(math.sinh(math.pi)))
MAX_ZOOM = 30
#: Circumference of the mercator sphere in metres.
_CIRCUMFERENCE = 2 * math.pi * 6378137.0
#: Share of the world, 0.4 micrometres, by which a place may miss the edge of a tile and still be
#: taken for it: corners of tiles come back rounded.
_ROUNDING = 1e-14
_NAME = re.compile(r'^(\d+)[_/-](\d+)[_/-](\d+)$')


class Tile(NamedTuple):
    """One tile of the XYZ scheme."""

    x: int
    y: int
    zoom: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north edge in degrees (EPSG:4326)."""
        west, north = tile_to_lonlat(self.x, self.y, self.zoom)
        east, south = tile_to_lonlat(self.x + 1, self.y + 1, self.zoom)
        return west, south, east, north


def lonlat_to_tile(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    """Return the numbers (x, y) of the tile that holds a place.

    Args:
        lon: Degrees east, -180 to 180; 180 itself belongs to the last tile. An edge between two
            tiles belongs to the eastern or southern one.
        lat: Degrees north, within +-85.0511.
        zoom: 0 to 30.

    Raises:
        DataError: A place outside the world of web maps, or an impossible zoom.
    """
    _check_zoom(zoom)
    if not (-180 <= lon <= 180 and abs(lat) <= MAX_LATITUDE + 1e-9):
        raise DataError(
            f'lon={lon}, lat={lat} is outside the map (+-180, +-{MAX_LATITUDE:.4f} degrees)',
            fix='Arguments are longitude first, then latitude',
        )
    count = 2 ** int(zoom)
    lon, lat = float(lon), float(lat)
    x = (lon + 180) / 360
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return tuple(
        min(max(math.floor((share + _ROUNDING) * count), 0), count - 1) for share in (x, y)
    )


def tile_to_lonlat(x: float, y: float, zoom: int) -> tuple[float, float]:
    """Return longitude and latitude in degrees of a tile's upper left corner.

    Fractions of a tile are places inside it: ``x + 0.5, y + 0.5`` is its centre.

    Raises:
        DataError: Numbers outside ``0..2^zoom``.
    """
    _check_zoom(zoom)
    count = 2**zoom
    if not (0 <= x <= count and 0 <= y <= count):
        raise DataError(f'tile {x}, {y} does not exist at zoom {zoom} (0 to {count - 1})')
    latitude = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y / count))))
    return x / count * 360 - 180, latitude


def tile_gsd(lat: float, zoom: int, size: int = 256) -> float:
    """Return the ground size of a pixel in metres at a latitude in degrees."""
    _check_zoom(zoom)
    return _CIRCUMFERENCE * math.cos(math.radians(lat)) / (size * 2**zoom)


def parse_tile_name(stem: str) -> Tile | None:
    """Read ``{zoom}_{x}_{y}`` from a file name without suffix, None for other names.

    >>> parse_tile_name('19_132289_212354')
    Tile(x=132289, y=212354, zoom=19)
    """
    match = _NAME.match(stem)
    if match is None:
        return None
    zoom, x, y = (int(group) for group in match.groups())
    return Tile(x, y, zoom) if zoom <= MAX_ZOOM and max(x, y) < 2**zoom else None


def _check_zoom(zoom: int) -> None:
    if not 0 <= zoom <= MAX_ZOOM or zoom != int(zoom):
        raise DataError(f'zoom={zoom} is not a whole number from 0 to {MAX_ZOOM}')
