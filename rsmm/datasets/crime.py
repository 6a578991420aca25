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


@DATASETS.register_module()
class CrimeTiles(RSDataset):
    """Tiles of class ``low`` or ``high``, split by city.

    ``tiles.csv`` with the columns tile, x, y, z, city, split, count and label (empty: not used),
    and the images in ``tiles``. Neighbouring tiles look alike and a label may be that of the whole
    city, so a city belongs to one split; there is no random split.

    Args:
        data_root: Folder.
        split: ``'train'``, ``'val'`` or ``'test'``.
        image_dir: Folder of the images, relative to ``data_root``.
        **kwargs: Arguments of :class:`RSDataset`.

    Raises:
        DataError: A city in two splits, an unknown split or label, a tile listed twice; names the
            line.
        DataNotFoundError: The table or an image is absent.
    """

    TOY_NAME = 'urban-tiles'
    METAINFO = {'classes': CLASSES['crime']}

    def __init__(
        self, data_root: str = '', split: str = 'train', image_dir: str = 'tiles', **kwargs
    ) -> None:
        if split not in SPLITS:
            raise ConfigError(f'split={split!r} is not one of {", ".join(SPLITS)}', where='split')
        self.split = split
        self.image_dir = Path(data_root) / image_dir
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the labelled tiles of the split: ``img_path``, ``gt_label``, ``city``, ``count``."""
        path = Path(self.data_root) / 'tiles.csv'
        entries = [
            {
                'img_path': str(self.image_dir / row['tile']),
                'gt_label': int(row['label']),
                'city': row['city'],
                'count': float(row['count'] or 'nan'),
            }
            for row in read_tile_table(path)
            if row['split'] == self.split and row['label'] != ''
        ]
        if not entries:
            raise DataError(f'no labelled tile is of split {self.split!r}', where=path)
        absent = [entry['img_path'] for entry in entries if not Path(entry['img_path']).is_file()]
        if absent:
            raise DataNotFoundError(
                f'{len(absent)} of {len(entries)} tiles are absent, e.g. {absent[0]}', where=path
            )
        return entries


def read_tile_table(path: str | Path) -> list[dict[str, str]]:
    """Read and check ``tiles.csv``; see :class:`CrimeTiles` for columns and errors."""
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file)
            absent = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if absent:
                raise DataError(f'has no column {", ".join(absent)}', where=path)
            rows = list(reader)
    except FileNotFoundError as error:
        raise CrimeTiles.not_found('there is no such file', path) from error
    splits: dict[str, dict[str, int]] = defaultdict(dict)
    seen: set[str] = set()
    for line, row in enumerate(rows, start=2):
        where = f'{path}, line {line}'
        if row['split'] not in SPLITS:
            raise DataError(f'split {row["split"]!r} is not train, val or test', where=where)
        if row['label'] not in ('', '0', '1'):
            raise DataError(f'label {row["label"]!r} is not 0, 1 or empty', where=where)
        if row['tile'] in seen:
            raise DataError(f'tile {row["tile"]!r} is listed twice', where=where)
        seen.add(row['tile'])
        splits[row['city']].setdefault(row['split'], line)
        if len(splits[row['city']]) > 1:
            names = ' and '.join(splits[row['city']])
            raise DataError(
                f'city {row["city"]!r} is in the splits {names}',
                where=where,
                fix='Put whole cities into one split: neighbouring tiles are near-copies',
            )
    return rows
