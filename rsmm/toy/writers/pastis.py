"""ToyEarth as PASTIS: series of farmland over one season, with crops as labels."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np

from rsmm.datasets.pastis import BACKGROUND, REFERENCE, VOID
from rsmm.errors import DataError
from rsmm.sensors import band_order
from rsmm.toy.materials import Cover, Crop
from rsmm.toy.noise import draw
from rsmm.toy.world import World
from rsmm.toy.writers.common import random_numbers, write_toy
from rsmm.toy.writers.scenes import COUNTRY
from rsmm.utils import atomic_write, track

GSD = 10.0
_BANDS = band_order('pastis')
#: Class of each crop; olive groves have none and are void.
_CLASSES = {
    Crop.MEADOW: 1, Crop.WINTER_WHEAT: 2, Crop.CORN: 3, Crop.WINTER_BARLEY: 4, Crop.RAPESEED: 5,
    Crop.SPRING_BARLEY: 6, Crop.SUNFLOWER: 7, Crop.VINEYARD: 8, Crop.BEET: 9, Crop.POTATO: 13,
    Crop.ALFALFA: 14, Crop.SOYBEAN: 15, Crop.ORCHARD: 16,
}  # fmt: skip
_LABEL_DAY = '2019-06-01'
_DAYS = 420  # from the reference day to the last possible image
_CLOUDS = 0.15
_UNKNOWN = 0.05  # share of parcels without a known crop


def write_pastis(
    out: str | Path, seed: int = 0, patches: int = 40, dates: int = 30, size: int = 64
) -> bool:
    """Write a toy PASTIS in the published layout.

    Series differ in length (``dates`` to ``dates + 8``), are partly cloudy and span September
    2018 to October 2019. Parcels without a known crop are void.

    Args:
        out: Folder to write.
        seed: Of the world.
        patches: Number of patches, dealt to the five folds in turn.
        dates: Fewest dates of a series.
        size: Side in pixels of 10 m; the real ones have 128.

    Returns:
        False when the folder already holds just this output.

    Raises:
        DataError: The folder holds something else.
    """
    settings = {'seed': seed, 'patches': patches, 'dates': dates, 'size': size}
    return write_toy(out, 'pastis', settings, lambda folder: _fill(folder, **settings))


def _fill(out: Path, seed: int, patches: int, dates: int, size: int) -> None:
    world = World(seed)
    for name in ('DATA_S2', 'ANNOTATIONS'):
        (out / name).mkdir()
    sums: dict[int, list] = {fold: [] for fold in range(1, 6)}
    features = []
    for number, (left, top) in enumerate(track(_farmland(world, patches, size), 'Toy PASTIS')):
        patch, fold = 10000 + number, number % 5 + 1
        numbers = random_numbers(dates + 9, seed, 'pastis', patch)
        days = sorted({int(_DAYS * u) for u in numbers[: dates + int(9 * numbers[-1])]})
        shown = [REFERENCE + dt.timedelta(days=day) for day in days]
        series = np.stack(
            [
                world.render(left, top, size, GSD, day, _BANDS, product='l2a', clouds=_CLOUDS)
                for day in shown
            ]
        )
        series = np.clip(series.transpose(0, 3, 1, 2), 0, 32767).astype(np.int16)
        np.save(out / 'DATA_S2' / f'S2_{patch}.npy', series)
        label = _label(world, left, top, size)
        target = np.stack([label, np.zeros_like(label), np.zeros_like(label)])
        np.save(out / 'ANNOTATIONS' / f'TARGET_{patch}.npy', target)
        flat = series.astype(np.float64)
        sums[fold].append((flat.mean(axis=(0, 2, 3)), flat.std(axis=(0, 2, 3))))
        features.append(_feature(patch, fold, shown, (left, top), size))
    norm = {
        f'Fold_{fold}': dict(zip(('mean', 'std'), np.mean(found, axis=0).tolist(), strict=True))
        for fold, found in sums.items()
        if found
    }
    for name, content in (
        ('metadata.geojson', {'type': 'FeatureCollection', 'features': features}),
        ('NORM_S2_patch.json', norm),
    ):
        with atomic_write(out / name, 'w', encoding='utf-8') as file:
            json.dump(content, file)


def _farmland(world: World, count: int, size: int) -> list[tuple[float, float]]:
    """Corners of places of which at least six tenths are fields."""
    left, bottom, right, top = COUNTRY
    places: list[tuple[float, float]] = []
    for u, v in random_numbers(400 * count, world.seed, 'pastis', 'places').reshape(-1, 2):
        corner = (
            float(round(left + u * (right - left), -1)),
            float(round(bottom + v * (top - bottom), -1)),
        )
        cover = world.land_cover(*corner, max(1, size // 6), 6 * GSD, _LABEL_DAY)
        if np.isin(cover, (Cover.ANNUAL, Cover.PERMANENT, Cover.PASTURE)).mean() > 0.6:
            places.append(corner)
        if len(places) == count:
            return places
    raise DataError(
        f'found {len(places)} of {count} toy places of farmland',
        fix='Ask for fewer places or another seed',
    )


def _label(world: World, left: float, top: float, size: int) -> np.ndarray:
    """Class of each pixel, (H, W) uint8."""
    survey = world.survey(left, top, size, GSD, _LABEL_DAY)
    table = np.full(len(Crop), VOID, np.uint8)
    for crop, number in _CLASSES.items():
        table[crop] = number
    fields = np.isin(survey.cover, (Cover.ANNUAL, Cover.PERMANENT, Cover.PASTURE))
    label = np.where(fields, table[survey.crop], BACKGROUND)
    label[fields & (draw(survey.parcel, 60) < _UNKNOWN)] = VOID
    return label.reshape(size, size).astype(np.uint8)


def _feature(patch: int, fold: int, days: list, corner: tuple[float, float], size: int) -> dict:
    (left, top), side = corner, size * GSD
    ring = [(left, top), (left + side, top), (left + side, top - side), (left, top - side)]
    dates = {str(k): int(day.strftime('%Y%m%d')) for k, day in enumerate(days)}
    # Half of the patches have the dates as text, both forms are in circulation.
    return {
        'type': 'Feature',
        'properties': {
            'ID_PATCH': patch,
            'Fold': fold,
            'dates-S2': json.dumps(dates) if patch % 2 else dates,
        },
        'geometry': {'type': 'Polygon', 'coordinates': [[*ring, ring[0]]]},
    }
