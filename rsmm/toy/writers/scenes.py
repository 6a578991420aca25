"""What the writers of SeCo and CACo share: places, acquisition days and scene folders."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rsmm.errors import DataError
from rsmm.sensors import SENTINEL2, band_order
from rsmm.toy.materials import Cover
from rsmm.toy.world import World
from rsmm.toy.writers.common import lat_lon, random_numbers, write_geotiff
from rsmm.utils import atomic_write

GSD = 10.0
BANDS = band_order('seco')
#: 44 pixels of 60 m; 132 of 20 m; 264 of 10 m.
SIZE = 264
#: Left, bottom, right and top of the toy country in metres.
COUNTRY = (220_000.0, 4_480_000.0, 720_000.0, 5_450_000.0)
_BUILT = (Cover.STREET, Cover.BUILDING, Cover.GARDEN, Cover.YARD)
_SURVEY_GSD = 60.0


@dataclass(frozen=True)
class Place:
    """A place: upper left corner in metres and the share of it that is built up in between."""

    left: float
    top: float
    changed: float


def check_size(size: int) -> None:
    """Raise :class:`DataError` unless 10, 20 and 60 m pixels divide a scene evenly."""
    if size < 6 or size % 6:
        raise DataError(f'size must be a multiple of 6 pixels of 10 m, got {size}')


def choose_places(
    world: World,
    count: int,
    size: int,
    name: str,
    years: Sequence[int],
    changed: float | None = None,
) -> list[Place]:
    """Draw places around towns and in the open country.

    Args:
        world: The world.
        count: Places wanted.
        size: Pixels of 10 m per side.
        name: Salt, so that different datasets see different places.
        years: First and last year, between which places may be built up.
        changed: Share of the places that must change (at least 8 % of the ground is built up);
            the others do not change at all. None takes places as they come.

    Raises:
        DataError: The country holds too few such places.
    """
    wanted = {True: count, False: count}
    if changed is not None:
        wanted = {True: round(count * changed), False: count - round(count * changed)}
    places: list[Place] = []
    for left, top in _candidates(world, 400 * count, size * GSD, name):
        place = Place(left, top, _built_between(world, left, top, size, years))
        kind = place.changed >= 0.08
        usable = changed is None or kind or place.changed == 0
        if usable and wanted[kind] > 0:
            wanted[kind] -= 1
            places.append(place)
        if len(places) == count:
            return places
    raise DataError(
        f'found {len(places)} of {count} toy places', fix='Ask for fewer places or another seed'
    )


def _candidates(world: World, most: int, extent: float, name: str):
    """Corners, half of them near the rim of a town, where towns grow."""
    left, bottom, right, top = COUNTRY
    numbers = random_numbers(4 * most, world.seed, name, 'places').reshape(-1, 4)
    for u, v, angle, kind in numbers:
        x, y = left + u * (right - left), bottom + v * (top - bottom)
        if kind < 0.75:
            towns = world.towns((x - 12e3, y - 12e3, x + 12e3, y + 12e3))
            if not len(towns):
                continue
            east, north, radius = towns[int(kind * 1e6) % len(towns)]
            x = east + 0.85 * radius * np.cos(2 * np.pi * angle) - extent / 2
            y = north + 0.85 * radius * np.sin(2 * np.pi * angle) + extent / 2
        yield float(round(x, -1)), float(round(y, -1))


def _built_between(world: World, left: float, top: float, size: int, years: Sequence[int]) -> float:
    pixels = max(1, round(size * GSD / _SURVEY_GSD))
    before, after = (
        np.isin(world.land_cover(left, top, pixels, _SURVEY_GSD, f'{year}-07-01'), _BUILT)
        for year in years
    )
    return float((after & ~before).mean())


def season_dates(
    first: dt.date, count: int, numbers: Sequence[float] | np.ndarray
) -> list[dt.date]:
    """Days about three months apart, each up to a week early or late.

    Args:
        first: First day.
        count: Days wanted.
        numbers: Random numbers in [0, 1), one per day.
    """
    step = 365 / max(4, count)
    return [
        first + dt.timedelta(days=round(i * step + 15 * (number - 0.5)))
        for i, number in zip(range(count), numbers, strict=False)
    ]


def write_place(
    folder: Path, world: World, place: Place, dates: Sequence[dt.date], size: int, preview: bool
) -> None:
    """Write ``<product id>/{B1,...,B12}.tif`` and ``metadata.json`` per date, and a preview."""
    for date in dates:
        day = date.strftime('%Y%m%d')
        product = f'{day}T103021_{day}T103529_T32TMS'
        image = world.render(place.left, place.top, size, GSD, date, BANDS, product='l2a')
        stored = np.clip(image / np.float32(10_000) * 255, 0, 255).astype(np.uint8)
        (folder / product).mkdir(parents=True)
        for position, band in enumerate(BANDS):
            factor = round(SENTINEL2[band].gsd / GSD)
            plane = _average(stored[..., position], factor)
            path = folder / product / f'{file_name(band)}.tif'
            _write(path, plane[..., None], place, GSD * factor)
        about = {
            'PRODUCT_ID': product,
            'SPACECRAFT_NAME': 'ToyEarth',
            'CLOUDY_PIXEL_PERCENTAGE': 0.0,
            'date': date.isoformat(),
        }
        with atomic_write(folder / product / 'metadata.json', 'w', encoding='utf-8') as file:
            json.dump(about, file, indent=1)
        if preview:
            rgb = stored[..., [BANDS.index(band) for band in ('B04', 'B03', 'B02')]]
            bright = np.clip(rgb.astype(np.float32) * 2, 0, 255).astype(np.uint8)
            _write(folder / f'{product}.tif', bright, place, GSD)


def file_name(band: str) -> str:
    """File stem of a band: ``B04`` is stored as ``B4``.

    >>> file_name('B04'), file_name('B8A'), file_name('B12')
    ('B4', 'B8A', 'B12')
    """
    return band.replace('B0', 'B')


def _average(plane: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return plane
    height, width = plane.shape
    blocks = plane.reshape(height // factor, factor, width // factor, factor)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def _write(path: Path, image: np.ndarray, place: Place, gsd: float) -> None:
    """Write a JPEG-compressed GeoTIFF in latitude and longitude, as the published files are."""
    size = image.shape[0] * gsd
    latitude, longitude = lat_lon([place.left, place.left + size], [place.top, place.top - size])
    step_x = (longitude[1] - longitude[0]) / image.shape[1]
    step_y = (latitude[0] - latitude[1]) / image.shape[0]
    transform = (step_x, 0, longitude[0], 0, -step_y, latitude[0])
    write_geotiff(
        path, image, transform, crs='EPSG:4326', compress='jpeg', jpeg_quality=90,
        **({'photometric': 'ycbcr'} if image.shape[2] == 3 else {}),
    )  # fmt: skip


def write_truth(path: Path, places: Sequence[Place]) -> None:
    """Write which places are built up in between, one row per place folder."""
    with atomic_write(path, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['place', 'built_up_share', 'left', 'top'])
        for number, place in enumerate(places):
            corner = f'{place.left:.0f}', f'{place.top:.0f}'
            writer.writerow([place_name(number), f'{place.changed:.4f}', *corner])


def place_name(number: int) -> str:
    """Six-digit folder name of a place."""
    return f'{number:06d}'
