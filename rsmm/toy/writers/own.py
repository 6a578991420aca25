"""ToyEarth as one's own images: four bands that name themselves, in plain folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rsmm.datasets.classes import CLASSES
from rsmm.geo.io import write_raster
from rsmm.toy.materials import Cover
from rsmm.toy.world import World
from rsmm.toy.writers.common import CRS, write_toy
from rsmm.toy.writers.scenes import GSD, Place, choose_places
from rsmm.utils import track

BANDS = ('B02', 'B03', 'B04', 'B08')
#: Class of the covers in the order of ``CLASSES['own']``.
_COVERS = (
    (Cover.SEA, Cover.LAKE, Cover.RIVER),
    (Cover.BROADLEAF, Cover.CONIFER, Cover.HEDGE, Cover.HEATH, Cover.PASTURE),
    (Cover.ANNUAL, Cover.PERMANENT),
    (Cover.BARE, Cover.HIGHWAY, Cover.LANE, Cover.STREET, Cover.BUILDING, Cover.GARDEN, Cover.YARD),
)
_YEARS = (2016, 2019)
_DATES = ('2018-04-11', '2018-06-20', '2018-08-09', '2018-10-03')
#: A chip belongs to the class that covers so much of it.
_PURE = 0.6


def write_own(out: str | Path, seed: int = 0, scenes: int = 10, size: int = 192) -> bool:
    """Write four folders as a practitioner has them, GeoTIFF of 10 m with four Sentinel-2 bands.

    ``maps/{images,labels}``, ``pairs/{A,B,label}`` (2016 and 2019), ``classes/<class>`` (chips of
    32 pixels) and ``stacks/{images/<place>/<date>.tif,labels/<place>.tif}``.

    Args:
        out: Folder to write.
        seed: Of the world.
        scenes: Number of scenes, pairs and stacks.
        size: Side of a scene in pixels.

    Returns:
        False when the folder already holds just this output.

    Raises:
        DataError: The folder holds something else.
    """
    settings = {'seed': seed, 'scenes': scenes, 'size': size}
    return write_toy(out, 'own', settings, lambda folder: _fill(folder, **settings))


def _fill(out: Path, seed: int, scenes: int, size: int) -> None:
    world = World(seed)
    table = np.zeros(256, np.uint8)
    for label, covers in enumerate(_COVERS):
        table[list(covers)] = label
    places = choose_places(world, scenes, size, 'own', _YEARS, changed=0.7)
    counts = dict.fromkeys(range(len(_COVERS)), 0)
    for number, place in enumerate(track(places, 'Toy images of your own')):
        name = f'scene_{number:02d}.tif'
        days = [f'{year}-06-15' for year in _YEARS]
        images = [_image(world, place, size, day) for day in days]
        maps = [table[world.land_cover(place.left, place.top, size, GSD, day)] for day in days]
        built = [label == len(_COVERS) - 1 for label in maps]
        change = (built[1] & ~built[0]).astype(np.uint8)
        for folder, array in (
            ('maps/images', images[1]),
            ('maps/labels', maps[1]),
            ('pairs/A', images[0]),
            ('pairs/B', images[1]),
            ('pairs/label', change),
            ('stacks/labels', maps[1]),
        ):
            _write(out / folder / name, array, place)
        for day in _DATES:
            path = out / 'stacks/images' / f'scene_{number:02d}' / f'{day}.tif'
            _write(path, _image(world, place, size, day), place)
        _chips(out / 'classes', images[1], maps[1], place, counts)


def _image(world: World, place: Place, size: int, day: str) -> np.ndarray:
    return world.render(place.left, place.top, size, GSD, day, BANDS, product='l2a')


def _write(path: Path, array: np.ndarray, place: Place, row: int = 0, column: int = 0) -> None:
    transform = (GSD, 0, place.left + GSD * column, 0, -GSD, place.top - GSD * row)
    bands = BANDS if array.ndim == 3 else None
    write_raster(path, array, crs=CRS, transform=transform, bands=bands)


def _chips(out: Path, image: np.ndarray, label: np.ndarray, place: Place, counts: dict) -> None:
    """Cut the chips that are of one class for the most part."""
    side = 32
    for row in range(0, label.shape[0] - side + 1, side):
        for column in range(0, label.shape[1] - side + 1, side):
            part = slice(row, row + side), slice(column, column + side)
            shares = np.bincount(label[part].ravel(), minlength=len(_COVERS)) / side**2
            best = int(shares.argmax())
            if shares[best] >= _PURE:
                path = out / CLASSES['own'][best] / f'{counts[best]:03d}.tif'
                _write(path, image[part], place, row, column)
                counts[best] += 1
