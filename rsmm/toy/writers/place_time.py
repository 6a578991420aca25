"""ToyEarth chips whose classes depend on place and season, with test sets where they do not.

Where and when an image was taken says much about what it shows, as long as one stays where and when
one learned it. In the west and in spring and summer, how common a class is follows a wave over the
country that moves on with the season. The three test sets are taken in the same places and season
(``test``), in the east (``elsewhere``), and in the same places in autumn (``season``); in the last
two all classes are alike common.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsmm.errors import DataError
from rsmm.sensors import RGB
from rsmm.toy.noise import derive_seed, draw, hash_keys
from rsmm.toy.world import World
from rsmm.toy.writers.common import lat_lon, shuffled, to_uint8, write_jpeg, write_toy
from rsmm.toy.writers.eurosat import (
    CLASSES,
    GSD,
    SITE_COLUMNS,
    SITE_ROWS,
    SIZE,
    Chip,
    site_chips,
)
from rsmm.utils import track
from rsmm.utils.progress import progress_bar

SPLITS = ('train', 'val', 'test', 'elsewhere', 'season')
#: Columns of sites in the west, where one learns, and in the east; a gap lies between.
_WEST, _EAST = range(6), range(7, SITE_COLUMNS)
#: First day and number of days of the season one learns in, and of the other.
_SPRING, _AUTUMN = (dt.date(2017, 3, 20), 150), (dt.date(2017, 9, 25), 60)


def write_place_time(
    out: str | Path,
    train: int = 2000,
    test: int = 400,
    strength: float = 2.0,
    seed: int = 0,
) -> bool:
    """Write chips and the table that :class:`rsmm.datasets.image_table.ImageTable` reads.

    ``chips/<n>.jpg`` (64 x 64, RGB) and ``table.csv`` with the columns path, label, latitude,
    longitude, date and split (train, val, test, elsewhere, season).

    Args:
        out: Folder to write.
        train: Chips of the split train.
        test: Chips of each other split.
        strength: How much commoner a class is at the crest of its wave than on average, as
            exponent: 0 makes place and season say nothing.
        seed: Seed of the world.

    Returns:
        False when the folder already holds just this output.

    Raises:
        DataError: Fewer chips than classes, a negative strength, or a folder with other content.
    """
    if min(train, test) < len(CLASSES) or strength < 0:
        raise DataError(
            f'train={train}, test={test}, strength={strength}',
            fix=f'At least {len(CLASSES)} chips of each split, strength not negative',
        )
    settings = {'train': train, 'test': test, 'strength': strength, 'seed': seed}

    def fill(folder: Path) -> None:
        world = World(seed)
        counts = dict.fromkeys(SPLITS, test) | {'train': train}
        chips = [
            (split, chip)
            for split, count in counts.items()
            for chip in choose_chips(world, split, count, strength)
        ]
        _write(folder, world, chips)

    return write_toy(out, 'place-time', settings, fill)


def class_shares(site: int, date: dt.date, strength: float) -> np.ndarray:
    """How common each class is at a site of the west on a day ``(C,)``, of sum 1.

    The crest passes all classes once from west to east, half of them from south to north, and moves
    on by half of them over the season.
    """
    row, column = divmod(site, SITE_COLUMNS)
    season = (date - _SPRING[0]).days / _SPRING[1]
    crest = column / len(_WEST) + 0.5 * row / SITE_ROWS + 0.5 * season
    phase = np.arange(len(CLASSES)) / len(CLASSES) - crest
    weights = np.exp(strength * np.cos(2 * np.pi * phase))
    return weights / weights.sum()


def choose_chips(
    world: World, split: str, count: int, strength: float, found: dict[int, dict] | None = None
) -> list[Chip]:
    """Choose the chips of a split, site after site, a few at each.

    Args:
        world: The world.
        split: One of :data:`SPLITS`.
        count: Number of chips.
        strength: See :func:`write_place_time`.
        found: Places by site and class; sites looked at are added, so that no survey is made twice.

    Raises:
        DataError: The country has too few places.
    """
    columns = _EAST if split == 'elsewhere' else _WEST
    sites = [row * SITE_COLUMNS + column for row in range(SITE_ROWS) for column in columns]
    order = shuffled(len(sites), world.seed, 'place-time', 'sites')
    per_site = max(4, -(-2 * count // len(sites)))
    chosen: list[Chip] = []
    found = {} if found is None else found
    with progress_bar() as bar:
        task = bar.add_task(f'Finding places of {split}', total=count)
        for position in order:
            site = sites[position]
            if site not in found:
                found[site] = site_chips(world, site, CLASSES, [_SPRING[0]])
            chosen += _at_site(world, site, found[site], split, per_site, strength)
            bar.update(task, completed=min(len(chosen), count))
            if len(chosen) >= count:
                return chosen[:count]
    raise DataError(
        f'found {len(chosen)} of {count} chips of {split}', fix='Ask for fewer or another seed'
    )


def _at_site(
    world: World, site: int, places: dict, split: str, count: int, strength: float
) -> list[Chip]:
    """Choose chips of one site; those of different splits lie in different places."""
    start, days = _AUTUMN if split == 'season' else _SPRING
    keys = hash_keys(derive_seed(world.seed, 'place-time', split, site), np.arange(count))
    dates = [start + dt.timedelta(int(days * share)) for share in draw(keys, 0)]
    # Every fifth place of a class, so that no two splits share one.
    pools = {label: spots[SPLITS.index(split) :: len(SPLITS)] for label, spots in places.items()}
    chips = []
    for date, share in zip(dates, draw(keys, 1), strict=True):
        if split in ('elsewhere', 'season'):
            shares = np.full(len(CLASSES), 1 / len(CLASSES))
        else:
            shares = class_shares(site, date, strength)
        label = CLASSES[min(int(np.searchsorted(shares.cumsum(), share)), len(CLASSES) - 1)]
        if pools[label]:
            spot = pools[label].pop()
            chips.append(Chip(label, spot.left, spot.top, date))
    return chips


def _write(folder: Path, world: World, chips: Sequence[tuple[str, Chip]]) -> None:
    (folder / 'chips').mkdir()
    half = SIZE * GSD / 2
    latitude, longitude = lat_lon(
        [chip.left + half for _, chip in chips], [chip.top - half for _, chip in chips]
    )
    with open(folder / 'table.csv', 'w', newline='', encoding='utf-8') as file:
        table = csv.writer(file)
        table.writerow(['path', 'label', 'latitude', 'longitude', 'date', 'split'])
        rows = list(zip(chips, latitude, longitude, strict=True))
        for number, ((split, chip), north, east) in enumerate(track(rows, 'Rendering chips'), 1):
            image = world.render(chip.left, chip.top, SIZE, GSD, chip.date, RGB, native=True)
            write_jpeg(folder / 'chips' / f'{number}.jpg', to_uint8(image))
            row = [f'chips/{number}.jpg', chip.label, north, east, chip.date.isoformat(), split]
            table.writerow(row)
