"""Map tiles labelled by a count of incidents: the study's last step."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from rsmm.datasets.base import RSDataset
from rsmm.datasets.classes import CLASSES
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.registry import DATASETS

COLUMNS = ('tile', 'x', 'y', 'z', 'city', 'split', 'count', 'label')
SPLITS = ('train', 'val', 'test')
#: Tiles of the train cities that are not trained on.
WITHIN = 'within'


@DATASETS.register_module()
class CrimeTiles(RSDataset):
    """Tiles of class ``low`` or ``high``, split by city.

    ``tiles.csv`` with the columns tile, x, y, z, city, split, count and label (empty: not used; x,
    y, z and count may be empty too), and the images in ``tiles``. Neighbouring tiles look alike and
    a label may be that of the whole city, so a city belongs to one split; there is no random split.
    ``held_out`` keeps the eastern part of every train city from training; the split ``'within'`` is
    that part. What a network reaches there, on streets next to those it saw, is to be told apart
    from unseen cities.

    Args:
        data_root: Folder.
        split: ``'train'``, ``'val'``, ``'test'`` or ``'within'``.
        image_dir: Folder of the images, relative to ``data_root``.
        maps_dir: Folder with a feature map ``{tile}.npz`` of every tile to use instead of the
            images, see :class:`rsmm.engine.hooks.feature_map_dump.FeatureMapDumpHook`.
        held_out: Share of each train city's tiles, 0 to 0.5.
        **kwargs: Arguments of :class:`RSDataset`.

    Raises:
        DataError: A city in two splits, an unknown split or label, a value that is no number, a
            tile listed twice; names the line.
        DataNotFoundError: The table or an image is absent.
    """

    TOY_NAME = 'urban-tiles'
    METAINFO = {'classes': CLASSES['crime']}

    def __init__(
        self,
        data_root: str = '',
        split: str = 'train',
        image_dir: str = 'tiles',
        maps_dir: str | None = None,
        held_out: float = 0.0,
        **kwargs,
    ) -> None:
        known = (*SPLITS, WITHIN)
        if split not in known:
            raise ConfigError(f'split={split!r} is not one of {", ".join(known)}', where='split')
        if not 0 <= held_out <= 0.5 or (split == WITHIN and held_out == 0):
            raise ConfigError(
                f'held_out={held_out} with split={split!r}: expected 0 to 0.5, and more than 0 '
                f"for '{WITHIN}'",
                where='held_out',
            )
        self.split = split
        self.image_dir = Path(data_root) / image_dir
        self.maps_dir = None if maps_dir is None else Path(maps_dir)
        self.held_out = held_out
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the labelled tiles of the split: ``img_path``, ``gt_label``, ``city``, ``count``."""
        path = Path(self.data_root) / 'tiles.csv'
        rows = [row for row in read_tile_table(path) if row['label'] != '']
        entries = [
            {
                'img_path': str(self._file_of(row['tile'])),
                'gt_label': int(row['label']),
                'city': row['city'],
                'count': float(row['count'] or 'nan'),
            }
            for row in select_split(rows, self.split, self.held_out)
        ]
        if not entries:
            raise DataError(f'no labelled tile is of split {self.split!r}', where=path)
        absent = [entry['img_path'] for entry in entries if not Path(entry['img_path']).is_file()]
        if absent:
            what = 'tiles' if self.maps_dir is None else 'feature maps'
            raise DataNotFoundError(
                f'{len(absent)} of {len(entries)} {what} are absent, e.g. {absent[0]}',
                where=path,
                fix=None
                if self.maps_dir is None
                else 'Write maps with a config of configs/crime that begins with maps_',
            )
        return entries

    def _file_of(self, tile: str) -> Path:
        if self.maps_dir is None:
            return self.image_dir / tile
        return self.maps_dir / Path(tile).with_suffix('.npz')


def select_split(rows: list[dict[str, str]], split: str, held_out: float = 0.0) -> list[dict]:
    """Return the rows of a split, in their order; see :class:`CrimeTiles`.

    Args:
        rows: Rows of ``tiles.csv``.
        split: ``'train'``, ``'val'``, ``'test'`` or ``'within'``.
        held_out: Share of each train city that is ``'within'`` instead of ``'train'``.

    Raises:
        DataError: A tile of the train cities has no place.
    """
    if split not in ('train', WITHIN) or held_out == 0:
        return [row for row in rows if row['split'] == split]
    trained = [row for row in rows if row['split'] == 'train']
    if not all(row['x'] and row['y'] for row in trained):
        raise DataError('a tile has no x or y, so no eastern part can be held out')
    cities: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for row in trained:
        cities[row['city']].append((int(row['x']), int(row['y']), row['tile']))
    east = set()
    for places in cities.values():
        count = round(held_out * len(places))
        east |= {tile for _, _, tile in sorted(places)[len(places) - count :]}
    return [row for row in trained if (row['tile'] in east) == (split == WITHIN)]


def read_tile_table(path: str | Path) -> list[dict[str, str]]:
    """Read and check ``tiles.csv``; see :class:`CrimeTiles` for columns and errors."""
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            absent = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if absent:
                raise DataError(f'has no column {", ".join(absent)}', where=path)
            rows = list(reader)
    except FileNotFoundError as error:
        raise CrimeTiles.not_found('there is no such file', path) from error
    except UnicodeDecodeError as error:
        raise DataError('is no text file', where=path) from error
    splits: dict[str, dict[str, int]] = defaultdict(dict)
    seen: set[str] = set()
    for line, row in enumerate(rows, start=2):
        where = f'{path}, line {line}'
        _check_values(row, where)
        if row['split'] not in SPLITS:
            raise DataError(f'split {row["split"]!r} is not train, val or test', where=where)
        if row['label'] not in ('', '0', '1'):
            raise DataError(f'label {row["label"]!r} is not 0, 1 or empty', where=where)
        if row['tile'] in seen:
            raise DataError(f'tile {row["tile"]!r} is listed twice', where=where)
        seen.add(row['tile'])
        known = splits[row['city'].strip().casefold()]
        known.setdefault(row['split'], line)
        if len(known) > 1:
            names = ' and '.join(known)
            raise DataError(
                f'city {row["city"]!r} is in the splits {names}',
                where=where,
                fix='Put whole cities into one split: neighbouring tiles are near-copies',
            )
    return rows


def _check_values(row: dict, where: str) -> None:
    if None in row or None in row.values():
        raise DataError('has more or fewer values than columns', where=where)
    if not row['city'].strip():
        raise DataError('names no city', where=where)
    for name, kind in (('x', int), ('y', int), ('z', int), ('count', float)):
        try:
            kind(row[name] or 0)
        except ValueError as error:
            raise DataError(f'{name} is {row[name]!r}', where=where) from error
