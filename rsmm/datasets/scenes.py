"""Archives of dated scenes: places with one folder per date and one file per band.

The layout of SeCo and CACo: ``<root>/<place>/<product id>/<band>.tif`` where the product id starts
with the acquisition day. Previews and metadata beside the bands are ignored.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rsmm.errors import DataError, DataNotFoundError
from rsmm.sensors import canonical_band
from rsmm.utils import track
from rsmm.utils.listing import TIFF, list_files, list_folders

_DAY = re.compile(r'(\d{4})(\d{2})(\d{2})(?!\d)')


@dataclass(frozen=True)
class Scene:
    """One date of a place.

    Attributes:
        name: ``<place>/<product id>``.
        date: ISO day, ``'2020-07-13'``.
    """

    name: str
    date: str

    @property
    def place(self) -> str:
        return self.name.split('/')[0]


class BadPlaces:
    """What to do with folders that do not fit: raise, or leave them out and count why.

    Args:
        policy: ``'error'`` or ``'skip'``.
    """

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self.counts: Counter[str] = Counter()

    def report(self, kind: str, what: str, where: str | Path, fix: str) -> None:
        """Raise :class:`DataError`, or count one case of a kind."""
        if self.policy == 'error':
            raise DataError(what, where=where, fix=f"{fix}, or set on_bad='skip'")
        self.counts[kind] += 1


def scene_date(name: str) -> str | None:
    """ISO day from a product id such as ``20200713T075609_20200713T081050_T36QZH``, or None.

    >>> scene_date('20200713T075609_20200713T081050_T36QZH')
    '2020-07-13'
    """
    match = _DAY.match(name)
    if match is None:
        return None
    try:
        return datetime.date(*map(int, match.groups())).isoformat()
    except ValueError:
        return None


def scan_scenes(root: str | Path, bands: Sequence[str], bad: BadPlaces) -> dict[str, list[Scene]]:
    """List the scenes of every place, sorted by date.

    Args:
        root: Folder of the archive.
        bands: Canonical names that every scene must have.
        bad: Takes folders without a date, dates without a band and second products of a day.

    Returns:
        Place names in order, each with its scenes, oldest first; places without any are absent.

    Raises:
        DataError: A folder does not fit and ``bad.policy`` is ``'error'``.
        DataNotFoundError: There are no scenes.
    """
    places: dict[str, list[Scene]] = {}
    for folder in track(_data_folders(root), 'Scanning places'):
        scenes = _scan_place(folder, bands, bad)
        if scenes:
            places[folder.name] = scenes
    if not places:
        raise DataNotFoundError(
            'no scenes found, expected <place>/<product id>/<band>.tif',
            where=root,
            fix='Point data_root at the folder that holds the places',
        )
    return places


def _data_folders(root: str | Path) -> list[Path]:
    return [path for path in list_folders(root) if not path.name.startswith('__')]


def _scan_place(folder: Path, bands: Sequence[str], bad: BadPlaces) -> list[Scene]:
    by_date: dict[str, Scene] = {}
    for product in _data_folders(folder):
        date = scene_date(product.name)
        if date is None:
            bad.report(
                'folders without a date',
                'the name does not start with a day (YYYYMMDD)',
                product,
                'Rename or remove the folder',
            )
            continue
        missing = missing_bands(product, bands)
        if missing:
            bad.report(
                'dates with a missing band',
                f'band {", ".join(missing)} is missing',
                product,
                'Download the scene again, or leave the band out of bands',
            )
            continue
        if date in by_date:
            bad.report(
                'second products of one date',
                f'{by_date[date].name} is of the same day',
                product,
                'Keep one product per day',
            )
            continue
        by_date[date] = Scene(f'{folder.name}/{product.name}', date)
    return [by_date[date] for date in sorted(by_date)]


def missing_bands(folder: Path, bands: Sequence[str]) -> list[str]:
    """Bands of a scene folder that have no file."""
    present = band_files(folder)
    return [band for band in bands if band not in present]


def band_files(folder: Path) -> dict[str, Path]:
    """Map canonical band names to the files of a scene folder.

    Raises:
        DataError: Two files are of one band (``B4.tif`` and ``B04.tif``).
    """
    files: dict[str, Path] = {}
    for path in list_files(folder, TIFF):
        first = files.setdefault(canonical_band(path.stem), path)
        if first is not path:
            raise DataError(f'{first.name} is of the same band', where=path, fix='Keep one')
    return files
