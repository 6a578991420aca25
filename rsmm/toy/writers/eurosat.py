"""ToyEarth as EuroSAT: 64 x 64 chips of ten classes, RGB JPEGs and 13-band GeoTIFFs.

Layout of Helber et al., "EuroSAT: A Novel Dataset and Deep Learning Benchmark for Land Use and
Land Cover Classification", JSTARS 2019, with the three lists of file names that are in use with
it and a table of chip positions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rsmm.errors import DataError
from rsmm.sensors import RGB, band_indices, band_order
from rsmm.toy.materials import Cover, Zone
from rsmm.toy.noise import derive_seed, draw, hash_keys
from rsmm.toy.survey import Survey
from rsmm.toy.world import World
from rsmm.toy.writers.common import (
    lat_lon,
    shuffled,
    to_uint8,
    write_geotiff,
    write_jpeg,
    write_toy,
)
from rsmm.utils import track
from rsmm.utils.progress import progress_bar

CLASSES = (
    'AnnualCrop', 'Forest', 'HerbaceousVegetation', 'Highway', 'Industrial',
    'Pasture', 'PermanentCrop', 'Residential', 'River', 'SeaLake',
)  # fmt: skip
PRODUCTS = ('rgb', 'ms')
SIZE, GSD = 64, 10.0
SPLITS = {'train': 0.6, 'val': 0.2, 'test': 0.2}

_CHIP = SIZE * GSD
# A site is a square of chips surveyed at once; sites are spread over the toy country.
_SITE_CHIPS, _SURVEY_GSD = 24, 40.0
_COUNTRY = (220_000.0, 4_480_000.0)  # easting and northing of the south-western site
_SITE_GAP, SITE_COLUMNS, SITE_ROWS = 55_000.0, 10, 18


@dataclass(frozen=True)
class Chip:
    """One chip to be rendered: class, upper left corner in metres and day."""

    label: str
    left: float
    top: float
    date: dt.date


def write_eurosat(
    out: str | Path,
    chips_per_class: int = 200,
    seed: int = 0,
    products: Sequence[str] = PRODUCTS,
) -> bool:
    """Write a toy EuroSAT in the published layout.

    ``2750/<Class>/<Class>_<n>.jpg``, ``tif/<Class>/<Class>_<n>.tif`` (uint16, B8A last),
    ``eurosat_metadata.parquet`` and ``eurosat-{train,val,test}.txt`` with JPEG names.

    Args:
        out: Folder to write.
        chips_per_class: Chips of each of the ten classes.
        seed: Seed of the world.
        products: ``'rgb'``, ``'ms'`` or both.

    Returns:
        False when the folder already holds just this output.

    Raises:
        DataError: An unknown product, fewer than one chip, or a folder with other content.
    """
    unknown = sorted(set(products) - set(PRODUCTS))
    if unknown or not products:
        what = f'unknown products {", ".join(unknown)}' if unknown else 'no products asked for'
        raise DataError(what, fix=f'Choose from {", ".join(PRODUCTS)}')
    if chips_per_class < 1:
        raise DataError(f'chips_per_class must be at least 1, got {chips_per_class}')
    products = [product for product in PRODUCTS if product in products]
    settings = {'chips_per_class': chips_per_class, 'seed': seed, 'products': products}

    def fill(folder: Path) -> None:
        world = World(seed)
        chips = choose_chips(world, chips_per_class)
        names = _names(chips)
        _write_chips(folder, world, chips, names, products)
        _write_metadata(folder, chips, names)
        _write_lists(folder, chips, names, seed)

    return write_toy(out, 'eurosat', settings, fill)


def choose_chips(world: World, per_class: int) -> list[Chip]:
    """Find places that show each class, spread over many sites.

    Args:
        world: The world.
        per_class: Chips wanted of each class.

    Returns:
        ``per_class`` chips of each class, in the order of :data:`CLASSES`.

    Raises:
        DataError: The country holds too few places of a class.
    """
    found: dict[str, list[Chip]] = {label: [] for label in CLASSES}
    # A few chips of each class per site, so that a site is seen in all classes.
    per_site = max(3, per_class // 12)
    sites = shuffled(SITE_COLUMNS * SITE_ROWS, world.seed, 'eurosat', 'sites')
    with progress_bar() as bar:
        task = bar.add_task('Finding places', total=per_class * len(CLASSES))
        for site in sites:
            open_classes = [label for label in CLASSES if len(found[label]) < per_class]
            if not open_classes:
                break
            dates = _dates(world.seed, int(site))
            for label, chips in site_chips(world, int(site), open_classes, dates).items():
                found[label] += chips[: min(per_site, per_class - len(found[label]))]
            bar.update(task, completed=sum(map(len, found.values())))
    short = [label for label in CLASSES if len(found[label]) < per_class]
    if short:
        raise DataError(
            f'found too few places for {per_class} chips of {", ".join(short)} '
            f'(the scarcest has {min(len(found[label]) for label in short)})',
            fix='Ask for fewer chips per class or another seed',
        )
    return [chip for label in CLASSES for chip in found[label]]


def site_chips(
    world: World, site: int, labels: Sequence[str], dates: Sequence[dt.date]
) -> dict[str, list[Chip]]:
    """Find the places of a site that show each class.

    Args:
        world: The world.
        site: Number of the site, counted row by row from the south-west.
        labels: Classes to look for.
        dates: Days on which the site is photographed; chips take them in turn.

    Returns:
        Chips by class, in random order.
    """
    row, column = divmod(site, SITE_COLUMNS)
    left = _COUNTRY[0] + column * _SITE_GAP
    top = _COUNTRY[1] + row * _SITE_GAP + _SITE_CHIPS * _CHIP
    samples = round(_SITE_CHIPS * _CHIP / _SURVEY_GSD)
    survey = world.survey(left, top, samples, _SURVEY_GSD, dates[0])
    shows = _classify(survey)
    chips = {}
    for label in labels:
        places = np.argwhere(shows == CLASSES.index(label))
        order = shuffled(len(places), world.seed, 'eurosat', site, label)
        chips[label] = [
            Chip(label, left + c * _CHIP, top - r * _CHIP, dates[k % len(dates)])
            for k, (r, c) in enumerate(places[order].tolist())
        ]
    return chips


def _dates(seed: int, site: int) -> tuple[dt.date, ...]:
    """Return the two days on which a site was photographed, late March to early November."""
    hashes = hash_keys(derive_seed(seed, 'eurosat', 'dates'), np.array([site]))
    days = [dt.date(2017, 3, 20) + dt.timedelta(int(draw(hashes, k)[0] * 230)) for k in (0, 1)]
    return tuple(days)


def _classify(survey: Survey) -> np.ndarray:
    """Return the class position that each chip of a site shows, -1 for none of them."""
    cover, zone = survey.cover, survey.zone
    part = {code: _share(cover == code) for code in Cover}
    housing = _share(zone == Zone.RESIDENTIAL)
    industry = _share(zone == Zone.INDUSTRIAL)
    highway, river = part[Cover.HIGHWAY], part[Cover.RIVER]
    still = part[Cover.SEA] + part[Cover.LAKE]
    plain = (highway < 0.012) & (river + still < 0.03) & (housing + industry < 0.06)
    dry = (highway < 0.02) & (river + still < 0.05)
    rules = {
        'AnnualCrop': plain & (part[Cover.ANNUAL] > 0.75),
        'Forest': plain & (part[Cover.BROADLEAF] + part[Cover.CONIFER] > 0.9),
        'HerbaceousVegetation': plain & (part[Cover.HEATH] > 0.85),
        'Highway': (highway > 0.045) & (river + still < 0.04) & (housing + industry < 0.6),
        'Industrial': dry & (industry > 0.7),
        'Pasture': plain & (part[Cover.PASTURE] > 0.68) & (part[Cover.HEDGE] < 0.25),
        'PermanentCrop': plain & (part[Cover.PERMANENT] > 0.62),
        'Residential': dry & (housing > 0.8),
        'River': (river > 0.1) & (river < 0.65) & (still < 0.02) & (highway < 0.02),
        'SeaLake': (still > 0.88) & (highway == 0),
    }
    shows = np.full((_SITE_CHIPS, _SITE_CHIPS), -1)
    for label, rule in rules.items():
        shows[rule] = CLASSES.index(label)
    return shows


def _share(mask: np.ndarray) -> np.ndarray:
    """Return the share of true samples per chip of a site, ``(chips, chips)``."""
    samples = round(_CHIP / _SURVEY_GSD)
    blocks = mask.reshape(_SITE_CHIPS, samples, _SITE_CHIPS, samples)
    return blocks.sum(axis=(1, 3)) / samples**2


def _names(chips: Sequence[Chip]) -> list[str]:
    """Number the chips of each class from 1."""
    seen = dict.fromkeys(CLASSES, 0)
    names = []
    for chip in chips:
        seen[chip.label] += 1
        names.append(f'{chip.label}_{seen[chip.label]}')
    return names


def _write_chips(folder, world: World, chips, names, products) -> None:
    bands = band_order('eurosat')
    colour = band_indices(bands, RGB)
    roots = {'rgb': folder / '2750', 'ms': folder / 'tif'}
    for product in products:
        for label in CLASSES:
            (roots[product] / label).mkdir(parents=True)
    for chip, name in track(list(zip(chips, names, strict=True)), 'Rendering toy EuroSAT'):
        place = (chip.left, chip.top, SIZE, GSD, chip.date)
        image = world.render(*place, bands, native=True)
        if 'rgb' in products:
            write_jpeg(roots['rgb'] / chip.label / f'{name}.jpg', to_uint8(image[..., colour]))
        if 'ms' in products:
            path = roots['ms'] / chip.label / f'{name}.tif'
            write_geotiff(path, image, (GSD, 0, chip.left, 0, -GSD, chip.top))


def _write_metadata(folder: Path, chips: Sequence[Chip], names: Sequence[str]) -> None:
    """Write the position table: chip centres in WGS84."""
    import pandas as pd

    latitude, longitude = lat_lon(
        [chip.left + _CHIP / 2 for chip in chips], [chip.top - _CHIP / 2 for chip in chips]
    )
    pd.DataFrame(
        {
            'image_id': [f'{name}.tif' for name in names],
            'label_id': [CLASSES.index(chip.label) for chip in chips],
            'label_name': [chip.label for chip in chips],
            'lat': latitude,
            'lon': longitude,
            'country': 'ToyEarth',
            'country_iso_a3': 'TOY',
        }
    ).to_parquet(folder / 'eurosat_metadata.parquet')


def _write_lists(folder: Path, chips, names, seed: int) -> None:
    """Write a split that is random within each class, as the published one."""
    lists: dict[str, list[str]] = {split: [] for split in SPLITS}
    for label in CLASSES:
        members = [name for chip, name in zip(chips, names, strict=True) if chip.label == label]
        members = [members[k] for k in shuffled(len(members), seed, 'eurosat', 'split', label)]
        first = round(SPLITS['train'] * len(members))
        second = first + round(SPLITS['val'] * len(members))
        for split, part in zip(
            SPLITS, (members[:first], members[first:second], members[second:]), strict=True
        ):
            lists[split] += sorted(f'{name}.jpg' for name in part)
    for split, members in lists.items():
        text = ''.join(f'{name}\n' for name in members)
        (folder / f'eurosat-{split}.txt').write_text(text, encoding='utf-8')
