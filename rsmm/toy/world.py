"""ToyEarth: one seeded procedural world, rendered for a place, a date and a sensor.

Coordinates are metres in a plane, x to the east and y to the north; a writer decides which map
projection that plane is. Nothing is stored: every property is a function of place, date and seed.
"""

from __future__ import annotations

import datetime as dt
import math

import numpy as np

from rsmm.toy import sensor
from rsmm.toy.noise import Grid, derive_seed
from rsmm.toy.surface import Surface
from rsmm.toy.survey import Survey, Surveyor
from rsmm.toy.towns import Bounds, Building
from rsmm.toy.vectors import Road, month_number

# A pixel averages samples 5 m apart, but no more than 4 x 4 of them.
_SAMPLE = 5.0
_MOST_SAMPLES = 4

Date = dt.date | str
Size = int | tuple[int, int]


class World:
    """A procedural world.

    Args:
        seed: Worlds with the same seed are the same, byte for byte.

    Example:
        >>> world = World(seed=0)
        >>> world.render(500_000, 5_000_000, 64, 10.0, '2018-06-15', ('B04', 'B03', 'B02')).shape
        (64, 64, 3)
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = int(seed)
        self._surveyor = Surveyor(derive_seed(self.seed, 'world'))

    def survey(self, x: float, y: float, size: Size, gsd: float, date: Date) -> Survey:
        """Return all layers (cover, zone, crop, parcel, building, ...) at pixel centres.

        Args:
            x: Easting of the left edge in metres.
            y: Northing of the upper edge in metres.
            size: Pixels per side, or (height, width).
            gsd: Pixel size in metres.
            date: Day, :class:`datetime.date` or ``'YYYY-MM-DD'``.
        """
        return self._survey(_grid(x, y, size, gsd), _day(date))

    def land_cover(self, x: float, y: float, size: Size, gsd: float, date: Date) -> np.ndarray:
        """Return :class:`~rsmm.toy.materials.Cover` codes at pixel centres, ``(H, W)`` uint8.

        Arguments as for :meth:`survey`.
        """
        grid = _grid(x, y, size, gsd)
        return self._survey(grid, _day(date)).cover.reshape(grid.height, grid.width)

    def render(
        self,
        x: float,
        y: float,
        size: Size,
        gsd: float,
        date: Date,
        bands: tuple[str, ...],
        product: str = 'l1c',
        clouds: float = 0.0,
        native: bool = False,
    ) -> np.ndarray:
        """Take an image.

        Args:
            x: Easting of the left edge in metres.
            y: Northing of the upper edge in metres.
            size: Pixels per side, or (height, width).
            gsd: Pixel size in metres.
            date: Day.
            bands: Sentinel-2 band names, or ``'R'``, ``'G'``, ``'B'`` for a camera.
            product: ``'l1c'`` (top of atmosphere) or ``'l2a'`` (surface reflectance, no B10).
            clouds: Expected share of cloudy pixels over large areas.
            native: Blur each Sentinel-2 band to its own ground sampling distance where that is
                coarser than ``gsd``.

        Returns:
            Digital numbers (reflectance times 10,000), ``(H, W, C)`` uint16; 0 does not occur.

        Raises:
            DataError: A band or product that does not exist, a cloud share outside [0, 1].
        """
        bands = sensor.check_bands(bands, product)
        ground = self.ground(x, y, size, gsd, date, bands)
        return self.observe(ground, x, y, gsd, date, bands, product, clouds, native)

    def ground(
        self, x: float, y: float, size: Size, gsd: float, date: Date, bands: tuple[str, ...]
    ) -> np.ndarray:
        """Return the reflectance of the ground, ``(C, H, W)`` float32; as for :meth:`render`."""
        grid, day = _grid(x, y, size, gsd), _day(date)
        factor = min(max(math.ceil(gsd / _SAMPLE), 1), _MOST_SAMPLES)
        survey = self._survey(grid.refine(factor), day)
        surface = Surface(self.seed, survey, day.timetuple().tm_yday, day.toordinal())
        return sensor.mix(*surface.coarsen(factor), sensor.check_bands(bands, 'l1c'))

    def observe(
        self,
        ground: np.ndarray,
        x: float,
        y: float,
        gsd: float,
        date: Date,
        bands: tuple[str, ...],
        product: str = 'l1c',
        clouds: float = 0.0,
        native: bool = False,
    ) -> np.ndarray:
        """Take an image of a ground ``(C, H, W)``, its own or one built upon; see :meth:`render`.

        Raises:
            DataError: A band or product that does not exist, a cloud share outside [0, 1].
        """
        bands = sensor.check_bands(bands, product)
        grid, epoch = _grid(x, y, ground.shape[1:], gsd), _day(date).toordinal()
        if native:
            ground = sensor.native_resolution(ground, gsd, bands)
        return sensor.observe(ground, self.seed, grid, epoch, bands, product, clouds)

    def cloud_opacity(
        self, x: float, y: float, size: Size, gsd: float, date: Date, clouds: float
    ) -> np.ndarray:
        """Return how much of each pixel's light comes from clouds, ``(H, W)`` in [0, 1].

        Arguments as for :meth:`render`.
        """
        return sensor.cloud_opacity(
            self.seed, _grid(x, y, size, gsd), _day(date).toordinal(), clouds
        )

    def cloud_mask(
        self, x: float, y: float, size: Size, gsd: float, date: Date, clouds: float
    ) -> np.ndarray:
        """Return 0 for clear ground, 1 for cloud and 2 for cloud shadow, ``(H, W)`` uint8.

        Arguments as for :meth:`render`.
        """
        grid, epoch = _grid(x, y, size, gsd), _day(date).toordinal()
        cloud = sensor.cloud_opacity(self.seed, grid, epoch, clouds) >= 0.5
        shadow = sensor.cloud_shadow(self.seed, grid, epoch, clouds) >= 0.5
        return np.where(cloud, 1, np.where(shadow, 2, 0)).astype(np.uint8)

    def buildings(self, bounds: Bounds, date: Date | None = None) -> list[Building]:
        """Return footprints of the buildings whose centre lies in bounds, sorted by identity.

        Args:
            bounds: Left, bottom, right, top in metres.
            date: Only those that stand on this day; default: all that are ever built. Their
                ``built`` month says since when, so one call serves a whole series.
        """
        return self._surveyor.towns.buildings(bounds, None if date is None else _month(date))

    def roads(self, bounds: Bounds, date: Date | None = None) -> list[Road]:
        """Return highways and country lanes that touch bounds; ``date`` as for buildings."""
        networks = (self._surveyor.highways, self._surveyor.lanes)
        roads = [road for network in networks for road in network.roads(bounds)]
        if date is None:
            return roads
        return [road for road in roads if road.built <= _month(date)]

    def towns(self, bounds: Bounds) -> np.ndarray:
        """Return easting, northing and final radius in metres, ``(T, 3)``, of towns near bounds."""
        return self._surveyor.towns.centres(bounds)

    def _survey(self, grid: Grid, day: dt.date) -> Survey:
        return self._surveyor.survey(grid, _month(day), day.timetuple().tm_yday)


def _grid(x: float, y: float, size: Size, gsd: float) -> Grid:
    height, width = (size, size) if isinstance(size, int) else size
    return Grid(float(x), float(y), height, width, float(gsd))


def _day(date: Date) -> dt.date:
    return dt.date.fromisoformat(date) if isinstance(date, str) else date


def _month(date: Date) -> int:
    day = _day(date)
    return month_number(day.year, day.month)
