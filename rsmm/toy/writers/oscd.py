"""ToyEarth as OSCD: pairs of growing cities in Sentinel-2 L1C, native and registered bands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from rsmm.datasets.oscd import CITIES
from rsmm.sensors import RGB, SENTINEL2, band_indices, band_order
from rsmm.toy.materials import Cover
from rsmm.toy.world import World
from rsmm.toy.writers.common import CRS, lat_lon, to_uint8, write_geotiff, write_toy
from rsmm.toy.writers.scenes import GSD, Place, choose_places
from rsmm.utils import atomic_write, track

_PREFIX = 'Onera Satellite Change Detection dataset -'
_BANDS = band_order('oscd')
_DAYS = ('2015-09-16', '2018-03-28')
_BUILT = (Cover.HIGHWAY, Cover.STREET, Cover.BUILDING, Cover.GARDEN, Cover.YARD)


def write_oscd(
    out: str | Path, seed: int = 0, train: int = 6, test: int = 3, size: int = 240
) -> bool:
    """Write a toy OSCD in the published layout.

    Change is ground that was cleared or built up between the dates. Crops, seasons and light
    differ too and are no change, as in the original. Cities bear the published names, in their
    order.

    Args:
        out: Folder to write.
        seed: Of the world.
        train: Cities for training, at most 14.
        test: Cities for testing, at most 10.
        size: Pixels of 10 m per side of the first city; the others are up to 24 smaller.

    Returns:
        False when the folder already holds just this output.

    Raises:
        DataError: The folder holds something else, or the world has too few growing places.
    """
    settings = {'seed': seed, 'train': train, 'test': test, 'size': size}
    return write_toy(out, 'oscd', settings, lambda folder: _fill(folder, **settings))


def _fill(out: Path, seed: int, train: int, test: int, size: int) -> None:
    world = World(seed)
    names = {'train': CITIES['train'][:train], 'test': CITIES['test'][:test]}
    cities = [(split, city) for split, group in names.items() for city in group]
    years = tuple(int(day[:4]) for day in _DAYS)
    places = choose_places(world, len(cities), size, 'oscd', years, changed=1.0)
    images = out / f'{_PREFIX} Images'
    for number, ((split, city), place) in enumerate(
        track(list(zip(cities, places, strict=True)), 'Toy OSCD')
    ):
        shape = (size - 7 * number % 24, size - 5 * number % 18)
        _write_city(images / city, world, place, shape)
        _write_label(out / f'{_PREFIX} {split.capitalize()} Labels' / city, world, place, shape)
    for split, group in (*names.items(), ('all', [city for _, city in cities])):
        (images / f'{split}.txt').write_text(','.join(group), encoding='utf-8')


def _write_city(folder: Path, world: World, place: Place, shape: tuple[int, int]) -> None:
    (folder / 'pair').mkdir(parents=True)
    for number, day in enumerate(_DAYS, start=1):
        image = world.render(
            place.left, place.top, shape, GSD, day, _BANDS, product='l1c', native=True
        )
        native, registered = folder / f'imgs_{number}', folder / f'imgs_{number}_rect'
        native.mkdir()
        registered.mkdir()
        for position, band in enumerate(_BANDS):
            plane = image[..., position]
            factor = round(SENTINEL2[band].gsd / GSD)
            stem = f'T32TMS_{day.replace("-", "")}T103021_{band}'
            _write(native / f'{stem}.tif', _average(plane, factor), place, GSD * factor)
            _write(registered / f'{band}.tif', plane, place, GSD)
        picture = to_uint8(image[..., band_indices(_BANDS, RGB)])
        Image.fromarray(picture).save(folder / 'pair' / f'img{number}.png')
    text = ''.join(f'date_{k}: {day.replace("-", "")}\n' for k, day in enumerate(_DAYS, start=1))
    (folder / 'dates.txt').write_text(text, encoding='utf-8')
    _write_outline(folder / f'{folder.name}.geojson', place, shape)


def _average(plane: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks; a last block that sticks out repeats the border, as the product does."""
    height, width = plane.shape
    full = np.pad(plane, ((0, -height % factor), (0, -width % factor)), mode='edge')
    blocks = full.reshape(full.shape[0] // factor, factor, full.shape[1] // factor, factor)
    return np.rint(blocks.mean(axis=(1, 3))).astype(plane.dtype)


def _write(path: Path, plane: np.ndarray, place: Place, gsd: float) -> None:
    write_geotiff(path, plane[..., None], (gsd, 0, place.left, 0, -gsd, place.top), CRS)


def _write_label(folder: Path, world: World, place: Place, shape: tuple[int, int]) -> None:
    before, after = (
        _development(world.land_cover(place.left, place.top, shape, GSD, day)) for day in _DAYS
    )
    change = after > before
    (folder / 'cm').mkdir(parents=True)
    gray = np.where(change, 255, 0).astype(np.uint8)
    rgba = np.dstack([gray, gray, gray, np.full_like(gray, 255)])
    Image.fromarray(rgba).save(folder / 'cm' / 'cm.png')
    Image.fromarray((change + 1).astype(np.uint8)).save(folder / 'cm' / f'{folder.name}-cm.tif')


def _development(cover: np.ndarray) -> np.ndarray:
    """Return 0 for open land, 1 for bare ground (building sites, beaches) and 2 for built."""
    return np.where(np.isin(cover, _BUILT), 2, cover == Cover.BARE)


def _write_outline(path: Path, place: Place, shape: tuple[int, int]) -> None:
    right, bottom = place.left + shape[1] * GSD, place.top - shape[0] * GSD
    corners = [(place.left, place.top), (right, place.top), (right, bottom), (place.left, bottom)]
    east, north = zip(*corners, corners[0], strict=True)
    latitude, longitude = lat_lon(east, north)
    ring = [[float(x), float(y)] for x, y in zip(longitude, latitude, strict=True)]
    feature = {
        'type': 'Feature',
        'properties': {},
        'geometry': {'type': 'Polygon', 'coordinates': [ring]},
    }
    with atomic_write(path, 'w', encoding='utf-8') as file:
        json.dump({'type': 'FeatureCollection', 'features': [feature]}, file)
