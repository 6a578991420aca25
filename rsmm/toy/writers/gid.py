"""ToyEarth as GID-5: 4 m colour scenes with colour labels of five classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rsmm.datasets.classes import PALETTES
from rsmm.datasets.transforms.labels import index_to_colours
from rsmm.errors import DataError
from rsmm.sensors import RGB_CAMERA
from rsmm.toy.materials import Cover
from rsmm.toy.world import World
from rsmm.toy.writers.common import random_numbers, to_uint8, write_geotiff, write_toy
from rsmm.toy.writers.scenes import COUNTRY, Place, choose_places
from rsmm.utils import track

GSD = 4.0
#: Class of each cover; the others are class 0, not labelled.
_CLASSES = {
    1: (Cover.HIGHWAY, Cover.STREET, Cover.BUILDING, Cover.GARDEN, Cover.YARD),
    2: (Cover.ANNUAL, Cover.PERMANENT),
    3: (Cover.BROADLEAF, Cover.CONIFER, Cover.HEDGE),
    4: (Cover.PASTURE,),
    5: (Cover.SEA, Cover.LAKE, Cover.RIVER),
}


def write_gid(out: str | Path, seed: int = 0, scenes: int = 10, size: int = 512) -> bool:
    """Write a toy GID-5: ``image_RGB/<stem>.tif`` and ``label_5classes/<stem>_label.tif``.

    Labels are RGB in the published colours. Heath, beaches and lanes are not labelled (black).

    Args:
        out: Folder to write.
        seed: Of the world.
        scenes: Number of scenes.
        size: Side in pixels of 4 m; the real ones have 6800 x 7200.

    Returns:
        False when the folder already holds just this output.

    Raises:
        DataError: The folder holds something else.
    """
    settings = {'seed': seed, 'scenes': scenes, 'size': size}
    return write_toy(out, 'gid', settings, lambda folder: _fill(folder, **settings))


def _fill(out: Path, seed: int, scenes: int, size: int) -> None:
    world = World(seed)
    table = np.zeros(256, np.uint8)
    for label, covers in _CLASSES.items():
        table[list(covers)] = label
    pixels = max(1, round(size * GSD / 10))
    for name in ('image_RGB', 'label_5classes'):
        (out / name).mkdir()
    shores = scenes // 3
    places = choose_places(world, scenes - shores, pixels, 'gid', (2015, 2016))
    places += _shores(world, shores, pixels)
    for number, place in enumerate(track(places, 'Toy GID')):
        day = f'2015-{4 + number % 6:02d}-02'
        window = (place.left, place.top, size, GSD, day)
        stem = f'GF2_PMS{1 + number % 2}__{day.replace("-", "")}_L1A{647000 + number:010d}-MSS1'
        transform = (GSD, 0, place.left, 0, -GSD, place.top)
        image = to_uint8(world.render(*window, RGB_CAMERA.band_names))
        write_geotiff(out / 'image_RGB' / f'{stem}.tif', image, transform)
        colours = index_to_colours(table[world.land_cover(*window)], PALETTES['gid5'])
        write_geotiff(out / 'label_5classes' / f'{stem}_label.tif', colours, transform)


def _shores(world: World, count: int, pixels: int) -> list[Place]:
    """Places that are part water, which few towns have."""
    west, south, east, north = COUNTRY
    found: list[Place] = []
    if count == 0:
        return found
    for u, v in random_numbers(400 * count, world.seed, 'gid', 'shores').reshape(-1, 2):
        corner = (
            float(round(west + u * (east - west), -1)),
            float(round(south + v * (north - south), -1)),
        )
        cover = world.land_cover(*corner, max(1, pixels // 6), 60.0, '2015-06-01')
        if 0.1 < np.isin(cover, _CLASSES[5]).mean() < 0.7:
            found.append(Place(*corner, 0.0))
        if len(found) == count:
            return found
    raise DataError(
        f'found {len(found)} of {count} toy places of shores',
        fix='Ask for fewer places or another seed',
    )
