"""ToyEarth as cells of monthly images, with the truth of every event planted in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rsmm.errors import ConfigError
from rsmm.toy.changes import build_on, plant_events
from rsmm.toy.materials import Cover
from rsmm.toy.noise import derive_seed
from rsmm.toy.world import World
from rsmm.toy.writers.common import to_uint8, write_geotiff, write_jpeg, write_toy
from rsmm.utils import atomic_write, track

GSD = 10.0
LAYOUTS = ('cairo', 'geotiff')
CLOUD_IMAGES = ('none', 'sibling', 'parallel')
TRUTH = 'truth.json'
_FIRST_YEAR = 2018
# No town of the toy world grows before 2008: what changes by itself is the season.
_YEAR = 2005
# South-western corner of the first cell and the step of the grid, in hundredths of a degree.
_SOUTH, _WEST, _STEP, _ROW = 3005, 3175, 5, 20
_RESTLESS = (Cover.ANNUAL, Cover.SEA, Cover.LAKE, Cover.RIVER)


def write_series(
    out: str | Path,
    seed: int = 0,
    cells: int = 4,
    static_cells: int = 1,
    seasonal_cells: int = 0,
    months: int = 12,
    size: int = 192,
    events: int = 2,
    clouds: float = 0.03,
    cloud_images: str = 'none',
    gaps: int = 0,
    seasons: int = 0,
    layout: str = 'cairo',
) -> bool:
    """Write toy cells of monthly images and ``truth.json``.

    ``{"cells": {cell: [{"kind", "first", "last", "mask"}]}, "kinds": {cell: ...}}``: ``first``
    is the month that shows an event first, ``last`` the one that shows all of it, ``mask`` a PNG
    under ``out`` of all that it covers (255), as large as a frame. The cells of one run lie in one
    grid of 0.05 degrees by name; their pixels are 10 m all the same.

    The ground of cells with events and of static ones stands still, in one winter; the light, the
    haze, the clouds and the sensor's noise change from month to month. Seasonal cells are farmland
    through the year and have no events.

    Args:
        out: Target folder.
        seed: Of the world.
        cells: Cells with planted events.
        static_cells: Cells where nothing happens, on top of ``cells``.
        seasonal_cells: Cells of farmland with its seasons, on top as well.
        months: Months from January 2018, at least 8 without the gaps.
        size: Side of the frames in pixels, at least 96.
        events: Events to plant in a cell, as far as there is room.
        clouds: Expected share of cloudy pixels.
        cloud_images: ``'sibling'`` writes cloud probability beside each frame (``_cloud`` in the
            name), ``'parallel'`` into ``clouds/<cell>``.
        gaps: Months left out of each cell.
        seasons: 1 lets the seasons pass in every cell.
        layout: ``'cairo'`` (RGB JPEG, months 00..11 in the name) or ``'geotiff'`` (four bands of
            16 bit with their place).

    Returns:
        False when the folder already held just this.

    Raises:
        ConfigError: Too few months or pixels, or an unknown layout.
        DataError: The folder holds something else.
    """
    settings = {key: value for key, value in locals().items() if key != 'out'}
    if months - gaps < 8 or size < 96:
        raise ConfigError(f'{months - gaps} months of {size} pixels: at least 8 of 96')
    for name, known in (('layout', LAYOUTS), ('cloud_images', CLOUD_IMAGES)):
        if settings[name] not in known:
            raise ConfigError(f'{name}={settings[name]!r}: expected one of {", ".join(known)}')
    return write_toy(out, 'series', settings, lambda folder: _fill(folder, settings))


def _fill(out: Path, settings: dict) -> None:
    world = World(settings['seed'])
    kinds = [
        kind
        for kind, count in (
            ('events', settings['cells']),
            ('static', settings['static_cells']),
            ('seasonal', settings['seasonal_cells']),
        )
        for _ in range(count)
    ]
    quiet, farmed = _places(world, settings['size'], False), _places(world, settings['size'], True)
    truth: dict = {'cells': {}, 'kinds': {}}
    for number, kind in enumerate(track(kinds, 'Cells')):
        corner = next(farmed if kind == 'seasonal' else quiet)
        cell = _Cell(world, out, number, kind, corner, settings)
        truth['cells'][cell.name] = cell.write()
        truth['kinds'][cell.name] = kind
    with atomic_write(out / TRUTH, 'w', encoding='utf-8') as file:
        json.dump(truth, file, indent=1, sort_keys=True)


def _places(world: World, size: int, farmed: bool) -> Iterator[tuple[float, float]]:
    """Yield corners of windows that are farmland, or hold next to no annual crops and water."""
    side = size * GSD
    for number in range(100_000):
        row, column = divmod(number, 200)
        corner = 400_000 + column * (side + 500), 5_000_000 + row * (side + 500)
        cover = world.land_cover(*corner, 24, side / 24, f'{_YEAR}-06-15')
        restless = np.isin(cover, _RESTLESS).mean()
        if (farmed and (cover == Cover.ANNUAL).mean() > 0.5) or (not farmed and restless < 0.01):
            yield corner


class _Cell:
    """One cell: its ground, its events and its files."""

    def __init__(self, world, out, number, kind, corner, settings) -> None:
        self.world, self.out, self.corner, self.settings = world, out, corner, settings
        self.seasonal = kind == 'seasonal' or bool(settings['seasons'])
        south, west = (_SOUTH + _STEP * (number // _ROW), _WEST + _STEP * (number % _ROW))
        self.name = f'{south}_{west}'
        self.stem = f'bbox{west * 10}_{south * 10}'
        red_first = ('B04', 'B03', 'B02')
        self.bands = red_first if settings['layout'] == 'cairo' else (*red_first, 'B08')
        rng = np.random.default_rng(derive_seed(world.seed, 'series', number))
        months = settings['months']
        gaps = rng.choice(np.arange(1, months), settings['gaps'], replace=False)
        self.frames = [month for month in range(months) if month not in gaps]
        count = settings['events'] if kind == 'events' else 0
        self.events = plant_events(rng, self._ground(0), self.bands, len(self.frames), count)

    def _day(self, frame: int) -> str:
        """Return the day of the toy world that a frame shows; each has its own sky."""
        month = self.frames[frame]
        if self.seasonal:
            return f'{_YEAR + month // 12 % 3}-{month % 12 + 1:02d}-{15 + month // 36:02d}'
        return f'{_YEAR}-{1 + month // 28:02d}-{1 + month % 28:02d}'

    def _ground(self, frame: int) -> np.ndarray:
        size = self.settings['size']
        return self.world.ground(*self.corner, size, GSD, self._day(frame), self.bands)

    def write(self) -> list[dict]:
        """Write all frames and masks; return the truth of the events."""
        (self.out / self.name).mkdir()
        for frame in range(len(self.frames)):
            self._write_frame(frame)
        return [self._write_event(*entry) for entry in enumerate(self.events)]

    def _write_frame(self, frame: int) -> None:
        where, day = (*self.corner,), self._day(frame)
        ground = build_on(self._ground(frame), self.events, frame)
        share = self.settings['clouds']
        numbers = self.world.observe(ground, *where, GSD, day, self.bands, clouds=share)
        year, month = divmod(self.frames[frame], 12)
        folder = self.out / self.name
        if self.settings['layout'] == 'cairo':
            stem = f'{self.stem}_{_FIRST_YEAR + year}_{month:02d}'
            write_jpeg(folder / f'{stem}.jpg', to_uint8(numbers, 0, 3000))
        else:
            stem = f'{self.name}_{_FIRST_YEAR + year}-{month + 1:02d}'
            transform = (GSD, 0, self.corner[0], 0, -GSD, self.corner[1])
            write_geotiff(folder / f'{stem}.tif', numbers, transform, compress='deflate')
        if self.settings['cloud_images'] != 'none':
            opacity = self.world.cloud_opacity(*where, ground.shape[1:], GSD, day, share)
            self._write_clouds(stem, np.rint(255 * opacity).astype(np.uint8))

    def _write_clouds(self, stem: str, cloud: np.ndarray) -> None:
        from PIL import Image

        path = self.out / self.name / f'{stem}_cloud.png'
        if self.settings['cloud_images'] == 'parallel':
            path = self.out / 'clouds' / self.name / f'{stem}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cloud).save(path)

    def _write_event(self, number: int, event) -> dict:
        from PIL import Image

        path = Path('truth') / f'{self.name}_{number}.png'
        (self.out / path.parent).mkdir(exist_ok=True)
        Image.fromarray(np.where(event.mask, 255, 0).astype(np.uint8)).save(self.out / path)
        first, last = (self._month(frame) for frame in (event.first, event.last))
        return {'kind': event.kind, 'first': first, 'last': last, 'mask': path.as_posix()}

    def _month(self, frame: int) -> str:
        year, month = divmod(self.frames[frame], 12)
        return f'{_FIRST_YEAR + year}-{month + 1:02d}'
